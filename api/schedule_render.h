/*
 * api/schedule_render.h
 *   Schedules as JSON.
 */
#ifndef API_SCHEDULE_RENDER_H
#define API_SCHEDULE_RENDER_H

#include "api/exchange.h"
#include "orchestrator/store/schedule_rows.h"
#include "orchestrator/store/store.h"

/* As an item of a list: without input. Open: the caller closes the object. */
void schedule_add(struct buffer *body, const struct schedule_row *row);
/* With the input, redacted as its definition asks; open. */
void schedule_add_whole(struct exchange *exchange, struct store *store, struct buffer *body,
                        const struct schedule_row *row);
/* Up to `count` times after `after_ms`, as an array. */
void schedule_add_times(struct buffer *body, const struct cron *cron, const struct zone *zone,
                        int64_t after_ms, size_t count);
void schedule_add_event(struct buffer *body, const struct schedule_event_row *row);

#endif
