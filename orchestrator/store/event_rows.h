/*
 * orchestrator/store/event_rows.h
 *   What happened to all sagas, in one order (event_rows.c).
 *
 * A batch that is told to (store_batch.keeps_events) adds its history once more, as one row or a
 * few. A row gets a place when it is seen to be committed; places have no gaps, and what was
 * written later never comes before one that was given. Events of one saga are in the order of its
 * history.
 */
#ifndef ORCHESTRATOR_STORE_EVENT_ROWS_H
#define ORCHESTRATOR_STORE_EVENT_ROWS_H

#include "orchestrator/store/store.h"

/* One row of a history, as it was written. */
struct event_row {
    struct uuid saga_id;
    int64_t definition_id;
    enum saga_state state;      /* of the saga after it */
    struct history_row history; /* without payload and output */
};

struct event_batch {
    int64_t place;
    struct bytes events; /* event_batch_read */
};

struct event_position {
    int64_t place;     /* the last one that was given */
    int64_t published; /* the last one that was marked so */
    int64_t first;     /* that is kept; 0: none is */
};

/* True on one session of the namespace at a time, until its connection breaks. */
MUST_CHECK bool store_events_lead(struct store *store, bool *ret_leads, struct err *err);
/* Give places to at most `limit` rows; the last place so far. For whoever leads. */
MUST_CHECK bool store_events_place(struct store *store, size_t limit, int64_t *ret_place,
                                   struct err *err);
MUST_CHECK bool store_events_position(struct store *store, struct event_position *ret_position,
                                      struct err *err);
/* Rows from `first` on, in order. */
MUST_CHECK bool store_events(struct store *store, int64_t first, size_t limit, struct arena *arena,
                             struct event_batch **ret_batches, size_t *ret_count, struct err *err);
/* ERR_INTERNAL: damaged. */
MUST_CHECK bool event_batch_read(const struct event_batch *batch, struct arena *arena,
                                 struct event_row **ret_rows, size_t *ret_count, struct err *err);
/* Kafka has them up to this place; it never goes back. */
MUST_CHECK bool store_events_published(struct store *store, int64_t place, struct err *err);
/* Delete at most `limit` rows: up to `place` of that age, behind it of the other one. */
MUST_CHECK bool store_events_forget(struct store *store, int64_t place, int64_t age_ms,
                                    int64_t age_behind_ms, size_t limit, size_t *ret_count,
                                    struct err *err);
/* Those of the sagas that have the filter's tags. */
MUST_CHECK bool store_events_tagged(struct store *store, const struct saga_filter *filter,
                                    const struct uuid *ids, size_t count, struct arena *arena,
                                    struct uuid **ret_ids, size_t *ret_count, struct err *err);

#endif
