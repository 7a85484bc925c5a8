/*
 * sagas/machine/fold.h
 *   A saga's state computed again from its history alone.
 *
 * Each entry moves the saga, or one run of a step, by the tables (tables.h); nothing is decided
 * again, so that a history folds the same under later rules, and with payloads masked. What the
 * history does not tell is not computed: see fold_compare.
 */
#ifndef SAGAS_MACHINE_FOLD_H
#define SAGAS_MACHINE_FOLD_H

#include "sagas/machine/saga.h"

/* What is noted of a step beside its runs. */
struct fold_run {
    uint32_t seq;       /* entry that moved it last */
    bool started_loose; /* it failed before it was sent: when it started is not told */
    uint32_t attempts[OP_PROBE + 1];
};

/* A signal that came and that no step has taken yet. */
struct fold_signal {
    struct bytes name, payload;
    struct fold_signal *next;
};

struct fold_step {
    struct fold_run *run; /* parallel to step_runs.run */
    uint32_t width;       /* as told; 0: not */
    bool skipped;         /* items that were not sent then will not be */
};

struct fold {
    struct saga *saga; /* as folded so far; the fold's own */
    struct fold_step *steps;
    uint32_t seq;                /* of the last entry */
    bool error_known;            /* saga->error and saga->cause follow from the history */
    struct bytes payload;        /* of the event in hand, until an entry takes it */
    struct fold_signal *signals; /* kept, the oldest first */
    uint32_t saga_seq;           /* entry that moved the saga last */
    const struct definition *const *versions;
    size_t version_count;
    char why[240];
};

/* One entry; `entry` as history_write_json and the API show it (members may be null). */
struct fold_entry {
    uint32_t seq, revision;
    int64_t at_ms;
    const struct json_view *entry;
    struct bytes payload; /* JSON text of the event; with its first entry; absent: none */
    struct bytes output;  /* of the saga, likewise */
};

/* Everything lives in `arena`. The definition is the one with which the saga began. */
struct fold *fold_new(struct arena *arena, const struct definition *definition);
/* Those that it was migrated to, by their `version`; borrowed. An entry that names another one
 * cannot be folded. */
void fold_versions(struct fold *fold, const struct definition *const *versions, size_t count);
/* How many items a foreach has, of the definition that it has in the end: entries speak only of
 * those that something happened to. After the last entry. */
void fold_width(struct fold *fold, size_t position, uint32_t count);
/* Items that no entry spoke of are there, too; fold_compare does it. */
void fold_finish(struct fold *fold);
/* False: the entry cannot follow on those before it; fold->why says what is wrong with it. */
bool fold_add(struct fold *fold, const struct fold_entry *entry);

/* `step` NULL: of the saga. `seq`: the last entry that the folded value comes from. */
struct fold_difference {
    const struct step *step;
    int32_t index;
    const char *member; /* as in the API */
    struct bytes stated, folded;
    uint32_t seq;
};
typedef void fold_differs(void *context, const struct fold_difference *difference);

/*
 * Compare a saga as it is stated with its fold; how many members differ.
 *
 * Of the saga: state, paused, cancel_requested, lock, revision, started_at, updated_at,
 * finished_at, deadline_at, output; attention but for no_handler and bad_reply, which come and go
 * without an entry; error.code and error.detail, but not while it is stuck on something else than
 * at first, nor where a turn to undo waited for the pivot. Of a run: state (waiting and ready count
 * as one: a step is reached without an entry), op, attempt, output, error, effect, started_at (not
 * of a step that failed before it was sent), finished_at, next_attempt_at, deadline_at.
 */
size_t fold_compare(struct fold *fold, const struct saga *stated, struct arena *scratch,
                    fold_differs *differs, void *context);

#endif
