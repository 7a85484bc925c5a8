/*
 * api/admission.h
 *   How many starts may be under way: as many as sagad has lately answered in ADMISSION_MS.
 *
 * More would only wait: their callers would hear 503 in the end, and all others would wait behind
 * them. So they hear 429 at once, before their bodies are looked at. A bulk that is let in is let
 * in as a whole, so the bound may be passed by one request.
 *
 * Thread-safe but for admission_tick, which belongs to the clock thread.
 */
#ifndef API_ADMISSION_H
#define API_ADMISSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ADMISSION_MS = 500,
    ADMISSION_MIN = 2000, /* that many at any speed: it is not known before it was tried */
};

#define ADMISSION_REFUSAL "more starts are under way than are answered in half a second"

struct admission {
    atomic_size_t inside;
    atomic_size_t limit;
    atomic_uint_fast64_t answered;
    atomic_bool refused; /* since the last tick */
    /* of the clock thread */
    uint64_t answered_before;
    int64_t ticked_ms;
    double per_ms; /* answered, when there is enough to do */
};

void admission_init(struct admission *admission, int64_t now_ms);
/* False: refuse, there is no room. */
bool admission_has_room(struct admission *admission);
void admission_enter(struct admission *admission, size_t count);
void admission_leave(struct admission *admission, size_t count);
/* Every 100 ms or so: learn the speed. */
void admission_tick(struct admission *admission, int64_t now_ms);

#endif
