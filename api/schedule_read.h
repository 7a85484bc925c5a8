/*
 * api/schedule_read.h
 *   A schedule as somebody wants it: body of POST and PUT, checked whole.
 */
#ifndef API_SCHEDULE_READ_H
#define API_SCHEDULE_READ_H

#include "api/exchange.h"
#include "orchestrator/store/schedule_rows.h"
#include "orchestrator/store/store.h"
#include "sagas/definition/definition.h"

struct schedule_draft {
    struct schedule_row row; /* name to paused are set */
    bool has_paused;         /* it was said */
    struct bytes reason;     /* absent: none */
    struct cron cron;
    struct zone zone;
};

/*
 * `name`: of the path, absent for POST. `now_ms`: for the time zone. False: refused, with every
 * fault of the body. Bytes borrow from the exchange.
 */
bool schedule_read(struct exchange *exchange, struct store *store, struct bytes name,
                   int64_t now_ms, struct schedule_draft *ret_draft);

/* Cron and time zone of a stored schedule. */
MUST_CHECK bool schedule_calendar(struct exchange *exchange, struct store *store,
                                  const struct schedule_row *row, struct cron *ret_cron,
                                  struct zone *ret_zone, struct err *err);

/* {"reason"} or nothing; false: refused. */
bool schedule_reason(struct exchange *exchange, struct bytes *ret_reason);

#endif
