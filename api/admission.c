#include "api/admission.h"

enum { SMOOTHING = 8 }; /* a new sample counts one part in so many */

void admission_init(struct admission *admission, int64_t now_ms)
{
    *admission = (struct admission){.ticked_ms = now_ms};
    atomic_store(&admission->limit, ADMISSION_MIN);
}

bool admission_has_room(struct admission *admission)
{
    const bool has_room = atomic_load(&admission->inside) < atomic_load(&admission->limit);
    if (!has_room) atomic_store(&admission->refused, true);
    return has_room;
}

void admission_enter(struct admission *admission, size_t count)
{
    atomic_fetch_add(&admission->inside, count);
}

void admission_leave(struct admission *admission, size_t count)
{
    atomic_fetch_sub(&admission->inside, count);
    atomic_fetch_add(&admission->answered, count);
}

/*
 * What is answered says how fast sagad is only where there was enough to do; otherwise it says how
 * little was asked for, and the speed that was known before stands.
 */
void admission_tick(struct admission *admission, int64_t now_ms)
{
    const int64_t passed_ms = now_ms - admission->ticked_ms;
    if (passed_ms <= 0) return;
    const uint64_t answered = atomic_load(&admission->answered);
    const double per_ms = (double)(answered - admission->answered_before) / (double)passed_ms;
    const bool was_full = atomic_exchange(&admission->refused, false);
    admission->answered_before = answered;
    admission->ticked_ms = now_ms;
    if (was_full || per_ms > admission->per_ms) {
        admission->per_ms += (per_ms - admission->per_ms) / SMOOTHING;
    }
    const double limit = admission->per_ms * ADMISSION_MS;
    atomic_store(&admission->limit, limit > ADMISSION_MIN ? (size_t)limit : ADMISSION_MIN);
}
