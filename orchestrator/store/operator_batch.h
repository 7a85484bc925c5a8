/* orchestrator/store/operator_batch.h: batches of operators (operator_batch.c, freeze.c) */
#ifndef ORCHESTRATOR_STORE_OPERATOR_BATCH_H
#define ORCHESTRATOR_STORE_OPERATOR_BATCH_H

#include "orchestrator/store/failure.h"
#include "orchestrator/store/store.h"

enum batch_state { BATCH_RUNNING = 1, BATCH_PAUSED, BATCH_DONE, BATCH_STOPPED };

/* What became of an item. Stored. */
enum item_end {
    ITEM_DONE,
    ITEM_NOT_FOUND,
    ITEM_NO_STEP,
    ITEM_NOT_ALLOWED,
    ITEM_PAST_PIVOT,
    ITEM_SETTLED, /* the dead letter, otherwise */
    ITEM_REFUSED,
    ITEM_INTERNAL,
    ITEM_NO_SIGNAL, /* no step waits for one of that name */
    ITEM_END_COUNT,
};

struct operator_batch {
    struct uuid id;
    struct bytes verb; /* "cancel", "retry_now", "replay", ... */
    struct bytes step; /* skip */
    bool has_item;     /* of a foreach; else every item of the step */
    int32_t item;
    struct bytes output;  /* skip: absent: null; migrate: {"definition", "version", "step_map"} */
    struct bytes name;    /* signal */
    struct bytes payload; /* signal; absent: null */
    struct bytes filter;  /* JSON as it was asked for; absent: by ids */
    struct bytes reason, actor;
    uint32_t rate; /* items a second */
    enum batch_state state;
    int64_t total, done, failed;
    int64_t created_at_ms, updated_at_ms, finished_at_ms;
    struct bytes sample; /* ids, 16 bytes each: the first ones */
};

/* Dead letters have numbers; where ids are meant they are written as one. */
struct uuid letter_id(int64_t number);
int64_t letter_number(const struct uuid *id);

struct letter_filter {
    const struct bytes *reasons, *topics; /* any of; none given: all */
    size_t reason_count, topic_count;
    int64_t after_ms, before_ms; /* 0: open */
};

/* What a batch takes: one of these. */
struct batch_source {
    const struct saga_filter *sagas; /* with states, none of them SAGA_SUCCEEDED */
    const struct letter_filter *letters;
    const struct failure_group *failure; /* state, definition_id and key */
    const struct uuid *ids;              /* in order, distinct */
    size_t id_count;
};

/* Open dead letters: how many, at most `limit`, and some of them (ids, 16 bytes each). */
MUST_CHECK bool store_count_letters(struct store *store, const struct letter_filter *filter,
                                    size_t limit, struct arena *arena, int64_t *ret_count,
                                    struct bytes *ret_sample, struct err *err);
/*
 * Freeze the set as of one moment and make the batch of it, within time_ms; with it the request
 * key, whose answer is the batch. ERR_INVALID: more than `items_max`. ERR_CONFLICT: the key exists.
 */
MUST_CHECK bool store_batch_make(struct store *store, const struct operator_batch *batch,
                                 const struct batch_source *source, int64_t items_max,
                                 uint32_t time_ms, const struct request_key_write *key,
                                 struct err *err);
MUST_CHECK bool store_batch_load(struct store *store, const struct uuid *id, struct arena *arena,
                                 struct operator_batch *ret_batch, struct err *err);
/* Newest first, ids below `before` (NULL: from the newest); no states: all. */
MUST_CHECK bool store_batch_list(struct store *store, const struct uuid *before,
                                 const enum batch_state *states, size_t state_count, size_t limit,
                                 struct arena *arena, struct operator_batch **ret_batches,
                                 size_t *ret_count, struct err *err);

struct batch_act {
    int64_t at_ms;
    struct bytes verb, actor, reason;
};
MUST_CHECK bool store_batch_acts(struct store *store, const struct uuid *id, size_t limit,
                                 struct arena *arena, struct batch_act **ret_acts,
                                 size_t *ret_count, struct err *err);
/* ERR_CONFLICT: its state is none of `from`. */
MUST_CHECK bool store_batch_set(struct store *store, const struct uuid *id, enum batch_state to,
                                const enum batch_state *from, size_t from_count,
                                const struct batch_act *act, struct err *err);

struct batch_item {
    int64_t seq; /* from 0 */
    struct uuid id;
    enum item_end end; /* ITEM_DONE: or not dealt with yet */
    struct bytes why;
    int64_t at_ms;
};
/* From the item `first` on; or of those that failed. */
MUST_CHECK bool store_batch_items(struct store *store, const struct uuid *id, int64_t first,
                                  bool failed_only, size_t limit, struct arena *arena,
                                  struct batch_item **ret_items, size_t *ret_count,
                                  struct err *err);

/* Running batches that this holder works on from now on, for hold_ms: its own and those that nobody
 * holds. */
MUST_CHECK bool store_batch_hold(struct store *store, int64_t holder, uint32_t hold_ms,
                                 size_t limit, struct arena *arena,
                                 struct operator_batch **ret_batches, size_t *ret_count,
                                 struct err *err);
enum { BATCH_PAGE = 1000 }; /* items */
MUST_CHECK bool store_batch_page(struct store *store, const struct uuid *id, int32_t page,
                                 struct arena *arena, struct bytes *ret_ids, struct err *err);
struct item_failure {
    int64_t seq;
    enum item_end end;
    struct bytes why;
};
/*
 * `done` and `count` that failed are dealt with, behind the `before` that were. ERR_CONFLICT: they
 * were counted before, or another node goes on with it.
 */
MUST_CHECK bool store_batch_settle(struct store *store, const struct uuid *id, int64_t holder,
                                   int64_t before, int64_t done,
                                   const struct item_failure *failures, size_t count,
                                   uint32_t hold_ms, enum batch_state *ret_state, struct err *err);

#endif
