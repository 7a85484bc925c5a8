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
};

/* Everything in the worker's batch arena; arrays have room for what the batch can make. */
struct batch {
    struct worker *worker;
    struct work **works;
    size_t count;
    int64_t now_ms;

    struct request_key_row *key_rows; /* parallel to works; found only where a key was given */
    bool *key_given;

    struct cached **touched;
    size_t touched_count;
    struct history_write *histories;
    size_t history_count, history_room;
    struct request_key_write *keys;
    size_t key_count;
    struct dead_letter_write *dead_letters;
    size_t dead_letter_count;
    struct processed_write *processed;
    size_t processed_count;
    struct outgoing *outgoing;
    size_t outgoing_count, outgoing_room;
};

/* load.c: request keys and sagas of the batch, two round trips at most. */
MUST_CHECK bool batch_load(struct batch *batch, struct err *err);
/* decide.c: the pure core for each event; fills what is to be written, sent and answered. */
void batch_decide(struct batch *batch);
/* Write a dead letter for the record of `work`. */
void batch_add_dead_letter(struct batch *batch, const struct work *work, const char *reason);

#endif
