/*
 * orchestrator/store/store_private.h
 *   What the files of this folder share: the store itself and how it asks.
 */
#ifndef ORCHESTRATOR_STORE_STORE_PRIVATE_H
#define ORCHESTRATOR_STORE_STORE_PRIVATE_H

#include "orchestrator/base/cleanup.h"
#include "orchestrator/store/params.h"
#include "orchestrator/store/result.h"
#include "orchestrator/store/session.h"
#include "orchestrator/store/store.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

struct store {
    struct session session;
    char *namespace_name;
    int32_t namespace_id;
    int32_t node;     /* stamped on what is written; 0: none */
    int32_t own_node; /* registered here: this session holds its lock; 0: none */
    char *node_name;
    uint64_t held_on;     /* connection (session.opened) that took the lock */
    int held_by;          /* its server process */
    int64_t writer;       /* row of sagad.writer; 0: not enrolled */
    int32_t writer_node;  /* node of that row */
    int64_t batch;        /* number of the last batch that was tried */
    uint64_t leads_on;    /* connection (session.opened) that gives places to events */
    struct arena scratch; /* parameters of the round that is being made */
    struct arena aside;   /* of the writer's own rounds, while that one waits */
};

/* Connect where the connection is gone. */
MUST_CHECK bool store_connect(struct store *store, struct err *err);

/* A new round; everything in the scratch arena is given up. */
void store_round_begin(struct store *store, struct round *round);
/* Parameters that begin with the namespace. */
struct params *store_params(struct store *store);

/* Run what may run twice: once more after a lost connection or a deadlock. */
MUST_CHECK bool store_run(struct store *store, struct round *round, struct err *err);
/* The victim of a deadlock gives way before its next try: at once, it would take the rows again. */
void store_pause_before(int tries, enum remedy remedy);
/* Run what may not: when the connection is lost nobody knows. */
MUST_CHECK bool store_run_once(struct store *store, struct round *round, struct err *err);

/* An id tells when its saga was created, give or take an hour, unless the saga is marked odd. */
enum { ID_SLACK_MS = 3600 * 1000 };

static inline int64_t uuid_unix_ms(const struct uuid *id)
{
    int64_t unix_ms = 0;
    for (size_t i = 0; i < 6; i++) {
        unix_ms = unix_ms << 8 | id->byte[i];
    }
    return unix_ms;
}

/* Where a tag's value is split so that its head fits a key; the rest is absent when it is short. */
void tag_split(struct bytes value, struct bytes *ret_head, struct bytes *ret_rest);

/* ---- list.c: sagas by filter ---- */

/* The index that leaves the fewest rows to look at. */
enum filter_index {
    FILTER_BY_TAG,
    FILTER_BY_ATTENTION,
    FILTER_BY_STATE,
    FILTER_BY_DEFINITION,
    FILTER_BY_TIME,
    FILTER_NEWEST,
    FILTER_INDEX_COUNT,
};
enum filter_index filter_choose(const struct saga_filter *filter);
/* Statements by time take two parameters more. */
enum filter_bounds { FILTER_ALONE, FILTER_WITH_ID_BOUNDS };
struct params *filter_params(struct store *store, const struct saga_filter *filter,
                             enum filter_bounds bounds);
/* Arrays of the filter's tags and how many different kinds and names they have. */
void filter_add_tags(struct store *store, struct params *params, const struct saga_filter *filter);
/* No rows: null. */
void params_array_or_null(struct params *params, struct columns columns, const void *rows,
                          size_t count);

/* batch.c: remember what was answered, in the round's transaction. */
void store_add_keys(struct store *store, struct round *round, const struct request_key_write *given,
                    size_t count);

/* ---- writer.c: what became of a batch ---- */

/* Have a row of sagad.writer that is not fenced, for the node of this store. */
MUST_CHECK bool writer_enrol(struct store *store, struct err *err);
/* Fence the last batch and tell whether it is durable. */
MUST_CHECK bool writer_resolve(struct store *store, bool *ret_committed, struct err *err);

#endif
