/*
 * orchestrator/engine/batch.h
 *   One batch of events between load and answer; shared by the files that carry it out.
 */
#ifndef ORCHESTRATOR_ENGINE_BATCH_H
#define ORCHESTRATOR_ENGINE_BATCH_H

#include "orchestrator/engine/internal.h"

struct outgoing {
    struct command command;
    struct cached *cached;
    bool granted; /* it waited for its topic and may go now */
    bool urged;   /* an operator wants it sent */
};

/* An attempt that came to an end, for the counters. */
struct measured {
    const struct definition *definition;
    const struct step *step;
    const char *outcome;
    enum op op;
    int64_t took_ms;    /* of the step; -1: it goes on */
    int64_t sent_at_ms; /* the attempt */
};

/* Everything in the worker's batch arena; arrays have room for what the batch can make. */
struct batch {
    struct worker *worker;
    struct work **works;
    size_t count;
    int64_t now_ms;

    struct request_key_row *key_rows; /* parallel to works; found only where a key was given */
    bool *key_given;
    bool *key_unread; /* given and not looked for: taken for new, the commit tells */
    bool any_unread;
    bool reads_keys; /* every key is looked for before anything is decided */

    struct cached **touched;
    size_t touched_count;
    struct history_write *histories;
    size_t history_count, history_room;
    struct request_key_write *keys;
    size_t key_count;
    struct dead_letter_write *dead_letters;
    size_t dead_letter_count;
    struct failure_write *failures;
    size_t failure_count;
    struct effect_write *effects;
    size_t effect_count, effect_room;
    struct lock_write *locks;
    size_t lock_count;
    struct processed_write *processed;
    size_t processed_count;
    struct outgoing *outgoing;
    size_t outgoing_count, outgoing_room;
    struct measured *measured;
    size_t measured_count, measured_room;
    bool stale; /* too little was known: what was decided is not to be believed */
};

/* load.c: request keys and sagas of the batch, two round trips at most. */
MUST_CHECK bool batch_load(struct batch *batch, struct err *err);
/* For some seconds keys of starts are looked for before anything is decided. */
void batch_doubt_keys(struct batch *batch);
/* decide.c: the pure core for each event; fills what is to be written, sent and answered. */
void batch_decide(struct batch *batch);
/* One event; what it leaves behind goes with the batch. */
void batch_decide_event(struct batch *batch, struct cached *cached, const struct event *event,
                        struct decision *ret_decision);
/* The saga is dropped should the batch fail; where it changed it was touched already. */
void batch_touch(struct batch *batch, struct cached *cached);
/* decide_records.c: a reply or a signal from Kafka. */
void batch_decide_record(struct batch *batch, struct work *work);
/* A reply whose token is good; VERDICT_UNKNOWN when it names nothing that there is. */
enum verdict batch_decide_reply(struct batch *batch, const struct token *token,
                                const struct event *given, struct cached **ret_cached);
/* Write a dead letter for the record of `work`. */
void batch_add_dead_letter(struct batch *batch, const struct work *work, const char *reason);
/* departures.c: hand a command to the bus, or keep it for later. */
void batch_send(struct batch *batch, const struct outgoing *outgoing);
/* What waited for a topic may go: it does not wait any more. */
void batch_let_go(struct batch *batch, const struct work *work);
/* Topics for which time stands still, of the commands of a saga that are due. What is due there
 * waits for them from now on. */
struct held_topics {
    struct bytes *name;
    size_t count;
};
struct held_topics batch_held_topics(struct batch *batch, const struct saga *saga);
/* Room for one more in an array of the batch's arena. */
void *batch_grow(struct batch *batch, void *old, size_t count, size_t *room, size_t size);

/* measure.c: noted while deciding, counted after the commit. */
void batch_note_reply(struct batch *batch, const struct saga *saga, const struct event *event);
/* The attempts whose time is over, before a timer is decided ... */
struct endings {
    struct ending *ending;
    size_t count;
};
struct endings batch_endings(struct batch *batch, const struct saga *saga);
/* ... and those of them that the timer ended. */
void batch_note_timeouts(struct batch *batch, const struct saga *saga,
                         const struct endings *endings);
/* Whether nobody reads where they were sent: attention of a saga whose time is over. */
void batch_mark_unread(struct batch *batch, struct saga *saga, const struct endings *endings);
void batch_measure(const struct batch *batch);

/* failures.c: what is wrong with which of the touched sagas is to be written. */
void batch_note_failures(struct batch *batch);

/* effects.c: what the touched sagas have done is to be written, where it is another thing now. */
void batch_note_effects(struct batch *batch);
/* locks.c: which of the touched sagas get in line or leave it is to be written ... */
void batch_note_locks(struct batch *batch);
/* ... and after the commit, whose turn it is now. Blocks for a round trip where any did. */
void batch_settle_locks(struct batch *batch);

#endif
