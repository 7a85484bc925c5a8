/*
 * sagas/calendar/cron.h
 *   Cron expressions, and when they fire next.
 *
 * Five fields: minute, hour, day of month, month, day of week; or a name such as `@daily`. Where
 * both days are given (neither begins with `*`), one of them suffices, as in every cron.
 *
 * Daylight saving: an expression that names every hour goes by elapsed time; where an hour comes
 * twice it fires in both, and an hour that is left out is not missed. Any other means the clock on
 * the wall: a time that comes twice fires once, the first time; times that clocks jump over
 * fire once, together, at the moment after the gap.
 */
#ifndef SAGAS_CALENDAR_CRON_H
#define SAGAS_CALENDAR_CRON_H

#include "sagas/base/bytes.h"
#include "sagas/calendar/zone.h"

#include <stdint.h>

enum {
    CRON_SIZE_MAX = 200,
    CRON_FAULT_SIZE = 200,
    CRON_YEARS =
        41, /* what does not fire for so long never does: 29 February on a Sunday, 2088 to 2128 */
};

/* Bit n is set where the number n is meant. */
struct cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; /* weekdays: 0 is Sunday */
    bool any_day, any_weekday;              /* the field begins with `*` */
};

/* False with a sentence for people: what is wrong, and what to write instead. */
bool cron_parse(struct bytes text, struct cron *ret_cron, char ret_fault[CRON_FAULT_SIZE]);

/*
 * The first moment (Unix ms, a whole second) after `after_ms`. False: there is none in CRON_YEARS.
 * The zone must know its changes from then until CRON_YEARS later.
 */
bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_ms,
               int64_t *ret_at_ms);

#endif
