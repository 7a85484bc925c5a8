/*
 * orchestrator/store/store.h
 *   Sagas at rest. The only door to PostgreSQL.
 *
 * A store is one connection and belongs to one thread at a time. Every call either did all
 * of its work or none. Error kinds: ERR_UNAVAILABLE (the database is away; the store
 * reconnects by itself at the next call), ERR_CONFLICT (somebody else was faster: load
 * and decide again), ERR_NOT_FOUND, ERR_INVALID, ERR_INTERNAL (data that PostgreSQL refuses:
 * bisect). Results live in the arena that is passed in.
 *
 * Payloads are text columns holding the caller's bytes. All instants are Unix ms (bigint).
 */
#ifndef ORCHESTRATOR_STORE_STORE_H
#define ORCHESTRATOR_STORE_STORE_H

#include "orchestrator/base/err.h"
#include "sagas/base/bytes.h"
#include "sagas/calendar/schedule.h"
#include "sagas/machine/failure.h"
#include "sagas/machine/saga.h"

#include <stdint.h>

struct store;

struct store_options {
    const char *url;            /* libpq connection string or URI */
    const char *namespace_name; /* created when it is not there */
    const char *role;           /* "writer-0", "reader-1", ...: shown as application_name */
    /* 0: 5,000. Locks are waited for half as long; a server that says nothing for a second longer
     * is gone. */
    uint32_t statement_timeout_ms;
};

/* Connects, checks the schema version (ERR_INVALID when older or newer than this binary), prepares.
 */
MUST_CHECK bool store_open(const struct store_options *options, struct store **ret_store,
                           struct err *err);
void store_close(struct store *store);
/* Reconnect when the connection is broken, then a round trip. */
MUST_CHECK bool store_ping(struct store *store, struct err *err);

/* ---- migrations (migrate.c) ---- */

uint32_t store_schema_newest(void); /* what this binary knows */
/* Apply what is missing under an advisory lock. A newer database is ERR_INVALID. */
MUST_CHECK bool store_migrate(const char *url, uint32_t *ret_from, uint32_t *ret_to,
                              struct err *err);

/* ---- the batch (commit.c) ---- */

struct tag_write { /* a searchable label or attribute of a fresh saga */
    char kind;     /* 'l' or 'a' */
    struct bytes name, value;
};

struct saga_write {
    struct uuid id;
    bool fresh;               /* insert; else update where revision = revision_before */
    uint32_t revision_before; /* as loaded */
    uint32_t revision;
    enum saga_state state;
    uint32_t attention;
    bool paused;
    struct bytes packed;
    int64_t due_at_ms;         /* saga_next_due_ms; 0: none */
    int64_t finished_at_ms;    /* 0: open */
    int64_t definition_before; /* of one that got another version: what it had; else 0 */
    int64_t definition_id;     /* of a fresh saga, and of one that got another version */
    /* of a fresh saga */
    int64_t created_at_ms, start_at_ms;
    struct bytes input, labels, attributes, trace, trace_state;
    const struct tag_write *tags;
    size_t tag_count;
};

struct history_write {
    struct uuid id;
    int64_t definition_id;
    enum saga_state state; /* of the saga after the event */
    uint32_t seq;          /* of the first entry */
    uint32_t count;
    uint32_t revision; /* of the saga after the event */
    int64_t at_ms;
    struct bytes entries; /* packed: history_write_json */
    struct bytes payload; /* absent: null */
    struct bytes output;  /* absent: null */
};

enum { FINGERPRINT_SIZE = 32 };

struct request_key_write {
    struct bytes key; /* Idempotency-Key */
    uint8_t fingerprint[FINGERPRINT_SIZE];
    bool has_saga;
    struct uuid saga_id;
    uint16_t status;     /* HTTP status of the stored answer */
    struct bytes answer; /* stored body; absent: a start, shown again from its saga */
};

/*
 * Replies of one partition that are dealt with. Sent again with the same topic, partition and
 * first_offset it extends that row (upsert): a row an hour, not a row a batch. Each store has rows
 * of its own.
 */
struct processed_write {
    struct bytes topic;
    int32_t partition;
    int64_t first_offset, last_offset;
    int64_t first_at_ms, last_at_ms; /* record timestamps: lowest and highest */
};

struct dead_letter_write {
    struct bytes topic;
    int32_t partition;
    int64_t offset;
    int64_t at_ms;      /* record timestamp: the same record while open is the same dead letter */
    const char *reason; /* unknown_saga forged malformed quarantined ... */
    struct bytes key;
    struct bytes headers; /* JSON array of [name, value] */
    struct bytes value;   /* any bytes */
};

/* What is wrong with a saga is another thing than it was. */
struct failure_write {
    struct uuid id;
    int64_t definition_id;
    struct failure failure; /* FAILURE_NONE: it goes on */
    int64_t key;            /* failure_key */
    int64_t since_ms;
    uint32_t revision; /* of the saga; only for store_failures_add_missing */
};

enum effect_change {
    EFFECT_PUT,    /* it counts, or counts otherwise */
    EFFECT_GONE,   /* it counts no more */
    EFFECTS_ENDED, /* none of the saga's counts any more, but for those that are put beside it */
};

/* What a step has done that is neither confirmed nor undone is another thing than it was. */
struct effect_write {
    enum effect_change change;
    struct uuid id;
    struct bytes step;
    int32_t item; /* or INDEX_NONE */
    int64_t definition_id;
    int64_t since_ms;
    enum saga_state state;              /* of the saga */
    bool unknown;                       /* nobody knows whether it happened */
    struct bytes topic, kind, currency; /* "": none */
    struct bytes amount;                /* decimal digits; absent: not known */
};

enum lock_change {
    LOCK_CHANGE_QUEUE, /* its saga gets in line */
    LOCK_CHANGE_TELL,  /* it has heard that it is its turn */
    LOCK_CHANGE_LEAVE, /* it is over */
};

/* Of a saga whose definition lets only so many be open; store_locks_grant is due after the commit.
 */
struct lock_write {
    struct uuid id;
    enum lock_change change;
    struct bytes definition, key; /* what is locked (lock.h) */
    int64_t places;               /* how many sagas may be open */
    int64_t at_ms;
};

struct store_batch {
    const struct saga_write *sagas; /* ids are distinct */
    size_t saga_count;
    int64_t
        near_until_ms; /* what is due until then is in the caller's memory: store_due is not told */
    const struct history_write *histories;
    size_t history_count;
    const struct request_key_write *keys; /* keys are distinct */
    size_t key_count;
    const struct processed_write *processed;
    size_t processed_count;
    const struct dead_letter_write *dead_letters;
    size_t dead_letter_count;
    const struct failure_write *failures; /* of `sagas` */
    size_t failure_count;
    const struct effect_write *effects; /* of `sagas`; places are distinct */
    size_t effect_count;
    bool keeps_events; /* the history is told once more, to those who hear of all sagas */
    const struct lock_write *locks; /* of `sagas`; those that get in line in their order */
    size_t lock_count;
};

/*
 * One transaction, one round trip (pipeline). ERR_CONFLICT: a revision moved, an id, a request key
 * or a history seq exists; nothing was written. When the connection breaks around COMMIT the
 * store reconnects and finds out what became of it (the writer row is updated in each batch and
 * locked to read it), for about two seconds; what turns out not to be written is tried again, as
 * is the victim of a deadlock. Only when the database stays away is the answer ERR_UNAVAILABLE
 * with *ret_unknown true, and store_resolve must be asked before anything is decided again.
 * ERR_UNAVAILABLE with *ret_unknown false: nothing was written. ERR_CONFLICT may also mean that
 * another node touched the row without moving its revision: load and decide again all the same.
 */
MUST_CHECK bool store_commit(struct store *store, const struct store_batch *batch,
                             bool *ret_unknown, struct err *err);
/* Did the batch of the last store_commit become durable? ERR_UNAVAILABLE: ask again. */
MUST_CHECK bool store_resolve(struct store *store, bool *ret_committed, struct err *err);

/* ---- loading (load.c) ---- */

struct payload_row {
    uint32_t seq;
    struct bytes payload, output;
};

struct saga_row {
    bool found;
    struct uuid id;
    int64_t definition_id;
    enum saga_state state;
    uint32_t attention;
    uint32_t revision;
    struct bytes packed;
    int64_t due_at_ms, created_at_ms, start_at_ms, finished_at_ms;
    struct bytes input, labels, attributes, trace, trace_state; /* absent in lists: input */
    const struct payload_row *payloads; /* history rows with payload or output; none in lists */
    size_t payload_count;
};

/* One row for each id, in the order of `ids`; found = false where there is none. */
MUST_CHECK bool store_load(struct store *store, const struct uuid *ids, size_t count,
                           struct arena *arena, struct saga_row *ret_rows, struct err *err);

struct request_key_row {
    bool found;
    uint8_t fingerprint[FINGERPRINT_SIZE];
    bool has_saga;
    struct uuid saga_id;
    uint16_t status;
    struct bytes answer;
};

MUST_CHECK bool store_load_keys(struct store *store, const struct bytes *keys, size_t count,
                                struct arena *arena, struct request_key_row *ret_rows,
                                struct err *err);

/* ---- due work and nodes (node.c) ---- */

/*
 * A node is alive while it holds its session advisory lock. Registering takes a new id; the store
 * that registered keeps the lock and must stay open. Sagas that this store's namespace writes from
 * now on carry the node of `store_set_node`; from when another node took that one for dead until
 * store_node_hold succeeds, they are refused (ERR_UNAVAILABLE).
 */
MUST_CHECK bool store_node_register(struct store *store, const char *name, int32_t *ret_node,
                                    struct err *err);
void store_set_node(struct store *store, int32_t node);
/*
 * Take the lock again after a reconnect, and the node's row where another node deleted it; true
 * when it is held. To be called every second or so, by the store that registered.
 */
MUST_CHECK bool store_node_hold(struct store *store, struct err *err);
/* Nodes whose lock is free, other than our own. */
MUST_CHECK bool store_nodes_dead(struct store *store, struct arena *arena, int32_t **ret_nodes,
                                 size_t *ret_count, struct err *err);
/* Tell how many sagas our node started in its last round; what all other nodes told of theirs. */
MUST_CHECK bool store_node_starts(struct store *store, uint64_t starts, uint64_t *ret_others,
                                  struct err *err);
/*
 * Take over up to `limit` open sagas of a dead node, in id order after `after`; their ids. Fewer
 * than `limit`: all are taken and the node's row is deleted, or it came back to life and none is
 * taken. `after` NULL: from the first.
 */
MUST_CHECK bool store_node_adopt(struct store *store, int32_t dead, const struct uuid *after,
                                 size_t limit, struct arena *arena, struct uuid **ret_ids,
                                 size_t *ret_count, struct err *err);
/*
 * Open sagas due at `now_ms` that nobody fired, of those that were due after `near_until_ms` when
 * they were written, oldest first; moves on their lazy wake-up index. One that was handed out is
 * not handed out again, to any node, for 5 s.
 */
MUST_CHECK bool store_due(struct store *store, int64_t now_ms, size_t limit, struct arena *arena,
                          struct uuid **ret_ids, size_t *ret_count, struct err *err);
/* Pending sagas that are paused although their definition is not, in id order after `after`. */
MUST_CHECK bool store_released(struct store *store, const struct uuid *after, size_t limit,
                               struct arena *arena, struct uuid **ret_ids, size_t *ret_count,
                               struct err *err);
/*
 * Create partitions ahead, drop those of keys and offsets that are forgotten, and writers that are
 * long gone. What is dropped goes by the database's clock; now_ms only adds partitions. For every
 * node, each minute or so. ERR_UNAVAILABLE: rather than let others queue behind a lock it gives up;
 * try again in a moment.
 */
MUST_CHECK bool store_maintain(struct store *store, int64_t now_ms, struct err *err);

/* ---- what is old goes (retire.c) ---- */

enum retire_step {
    RETIRE_MORE,  /* go on after a rest */
    RETIRE_LATER, /* others work on it: try again in a moment */
    RETIRE_DONE,
};
/* Progress of one pass over everything. All zero: it begins. */
struct retirement {
    enum retire_step next; /* what the last step asks for */
    int phase;
    int32_t week;
    struct uuid after;
    size_t table;
    int64_t block, blocks, letter;
    uint64_t sagas, weeks, letters; /* that went */
    uint64_t kept_weeks;            /* old ones of which too many sagas are open or ended late */
    bool wants_vacuum;              /* a week can go only after that */
};
/*
 * One short step of a pass: finished sagas of this namespace that ended `retention_ms` ago by the
 * database's clock, settled dead letters of that age, and whole weeks of which few sagas are left,
 * go. For any node at any time; others wait for none of it longer than some 30 ms.
 */
MUST_CHECK bool store_retire(struct store *store, int64_t retention_ms, struct retirement *pass,
                             struct err *err);
/* Vacuum of the hot table: long, and in nobody's way. */
MUST_CHECK bool store_vacuum(struct store *store, struct err *err);

/* Ranges of processed replies of one partition, highest offsets first; two writers' may overlap. */
struct processed_row {
    int64_t first_offset, last_offset, first_at_ms, last_at_ms;
};
MUST_CHECK bool store_processed(struct store *store, struct bytes topic, int32_t partition,
                                struct arena *arena, struct processed_row **ret_rows,
                                size_t *ret_count, struct err *err);

/* A named secret of the namespace's cluster: made from `fresh` when it is not there. */
MUST_CHECK bool store_secret(struct store *store, const char *name, const uint8_t *fresh,
                             size_t size, uint8_t *ret_secret, struct err *err);

/* ---- definitions (definition_rows.c) ---- */

struct definition_row {
    int64_t id;
    struct bytes name;
    uint32_t version; /* 0: inline */
    uint8_t hash[DEFINITION_HASH_SIZE];
    struct bytes source;
    int64_t created_at_ms;
    bool deprecated, paused;
};

/*
 * Store a registered definition: the same content gives the existing version (*ret_new false),
 * other content the next one. `stated_version` 0: any; else it must be what comes out, or
 * ERR_INVALID whose text names the version that would be next.
 */
MUST_CHECK bool store_definition_put(struct store *store, struct bytes name,
                                     const uint8_t hash[DEFINITION_HASH_SIZE], struct bytes source,
                                     uint32_t stated_version, struct arena *arena,
                                     struct definition_row *ret_row, bool *ret_new,
                                     struct err *err);
/* An inline definition, kept once by content hash; its version is 0. */
MUST_CHECK bool store_definition_put_inline(struct store *store, struct bytes name,
                                            const uint8_t hash[DEFINITION_HASH_SIZE],
                                            struct bytes source, struct arena *arena,
                                            struct definition_row *ret_row, struct err *err);
MUST_CHECK bool store_definition_by_id(struct store *store, int64_t id, struct arena *arena,
                                       struct definition_row *ret_row, struct err *err);
/* version 0: the newest. */
MUST_CHECK bool store_definition_by_name(struct store *store, struct bytes name, uint32_t version,
                                         struct arena *arena, struct definition_row *ret_row,
                                         struct err *err);
/* Newest version of each name after `after_name`, by name. */
MUST_CHECK bool store_definition_list(struct store *store, struct bytes after_name, size_t limit,
                                      struct arena *arena, struct definition_row **ret_rows,
                                      size_t *ret_count, struct err *err);
/* All versions of one name, newest first. */
MUST_CHECK bool store_definition_versions(struct store *store, struct bytes name,
                                          struct arena *arena, struct definition_row **ret_rows,
                                          size_t *ret_count, struct err *err);
/* version 0: the whole name (pause, resume); else one version (deprecate, restore). */
enum definition_flag { DEFINITION_PAUSED, DEFINITION_DEPRECATED };
MUST_CHECK bool store_definition_set(struct store *store, struct bytes name, uint32_t version,
                                     enum definition_flag flag, bool value, struct err *err);

/* ---- reading for operators (read.c) ---- */

struct saga_filter {
    const enum saga_state *states; /* any of; none given: all */
    size_t state_count;
    const struct bytes *definitions; /* names, any of */
    size_t definition_count;
    uint32_t version;             /* 0: any */
    uint32_t attention;           /* any of these bits; 0: all */
    const struct tag_write *tags; /* same kind and name: any of; different: all of */
    size_t tag_count;
    int64_t created_after_ms, created_before_ms; /* 0: open; exclusive */
    bool has_before;
    struct uuid before; /* keyset: ids below this one (newest first) */
    size_t limit;
};

MUST_CHECK bool store_list(struct store *store, const struct saga_filter *filter,
                           struct arena *arena, struct saga_row **ret_rows, size_t *ret_count,
                           struct err *err);

struct saga_count {
    int64_t count;
    bool exact;
};
/*
 * How many sagas a filter matches: counted, at most `filter->limit` of them and for at most
 * `time_ms`; beyond that the planner's estimate, which knows what the last ANALYZE saw: of labels
 * and attributes and of the rest each for itself (the smaller one counts).
 */
MUST_CHECK bool store_count(struct store *store, const struct saga_filter *filter, uint32_t time_ms,
                            struct saga_count *ret_count, struct err *err);

struct history_row {
    uint32_t seq, count, revision;
    int64_t at_ms;
    struct bytes entries, payload, output;
};
/* Rows that hold entries with seq > after_seq, oldest first; none of a saga that is gone. */
MUST_CHECK bool store_history(struct store *store, const struct uuid *id, uint32_t after_seq,
                              size_t limit, struct arena *arena, struct history_row **ret_rows,
                              size_t *ret_count, struct err *err);

struct dead_letter_row {
    int64_t id;
    int64_t at_ms;
    struct bytes topic;
    int32_t partition;
    int64_t offset;
    struct bytes reason, key, headers, value;
    struct bytes settled; /* "replayed", "discarded" or absent */
};
/* Open ones, newest first, ids below `before` (0: from the newest). */
MUST_CHECK bool store_dead_letters(struct store *store, int64_t before, size_t limit,
                                   struct arena *arena, struct dead_letter_row **ret_rows,
                                   size_t *ret_count, struct err *err);
MUST_CHECK bool store_dead_letter(struct store *store, int64_t id, struct arena *arena,
                                  struct dead_letter_row *ret_row, struct err *err);
/* ERR_CONFLICT when it was settled before. */
MUST_CHECK bool store_dead_letter_settle(struct store *store, int64_t id, const char *how,
                                         struct err *err);

struct state_count {
    struct bytes definition; /* name */
    enum saga_state state;
    uint32_t attention;
    int64_t count;
    struct bytes overdue; /* ids, 16 bytes each, of at most a thousand or so; absent: none */
};
/*
 * Open and stuck sagas by definition, state and attention, at most every few seconds: for gauges,
 * and to find what was due before `overdue_before_ms` and was forgotten. Only what this store's own
 * node wrote, or one that is gone.
 */
MUST_CHECK bool store_count_open(struct store *store, int64_t overdue_before_ms,
                                 struct arena *arena, struct state_count **ret_rows,
                                 size_t *ret_count, struct err *err);

#endif
