/*
 * orchestrator/engine/flow.h
 *   Which commands leave at once and which wait: pauses, circuits, windows, the budget of retries.
 *
 * A command that waits never left, so its time does not run. Undo goes before what is in flight
 * before what is new. Nothing here is a truth: a node that forgets it sends a few commands more.
 */
#ifndef ORCHESTRATOR_ENGINE_FLOW_H
#define ORCHESTRATOR_ENGINE_FLOW_H

#include "orchestrator/engine/internal.h"
#include "orchestrator/engine/topic_view.h"
#include "orchestrator/store/topic_rows.h"

struct departure {
    struct topic *topic; /* NULL: nobody steers it */
    enum line line;
    int64_t sent_at_ms; /* wall clock, as the saga has it */
    bool first;         /* attempt that is sent for the first time */
    bool granted;       /* it was let out of its line */
    bool urged;         /* an operator wants it now: no budget of retries */
};

/* Worker: may it leave? True: it counts as sent. False: hold it. */
bool flow_may_leave(struct engine *engine, const struct departure *departure);
/* The same where nothing but the window may stand in the way: quick, and the line need not be
 * known. */
bool flow_is_free(struct topic *topic);
void flow_count_sent(struct topic *topic, int64_t sent_at_ms, bool first);
/* It did not leave after all. */
void flow_take_back(struct topic *topic, int64_t sent_at_ms);
void flow_hold(struct engine *engine, struct topic *topic, const struct uuid *id, enum line line);

enum answer_kind {
    ANSWER_GOOD,  /* a success or a refusal: somebody works there */
    ANSWER_RETRY, /* bad, but somebody is there */
    ANSWER_NONE,  /* its time is over */
};
/* Worker: an attempt that was sent then came to its end. timeout_ms: that it had; 0: not known. */
void flow_note_answer(struct topic *topic, enum answer_kind kind, int64_t sent_at_ms,
                      int64_t now_ms, int64_t timeout_ms);
/* Nobody reads it, says the broker; or it cannot tell and no command was ever answered. */
bool flow_is_unread(struct topic *topic);
/* Paused, or the circuit is not closed: time stands still. */
bool flow_stands(struct topic *topic);
/* Let go what may go now. */
void flow_release(struct engine *engine);
/* Commands that wait here for their turn. */
size_t flow_waiting(struct engine *engine);

void *flow_main(void *context); /* the engine */
/* Pauses as PostgreSQL has them. */
MUST_CHECK bool flow_read_pauses(struct engine *engine, struct store *store, struct err *err);

#endif
