/*
 * orchestrator/bus/signal.h
 *   A record of the signal topic as an event (contracts, section 2).
 *
 * No token says that its sender may do this: whoever may write to the topic may signal.
 */
#ifndef ORCHESTRATOR_BUS_SIGNAL_H
#define ORCHESTRATOR_BUS_SIGNAL_H

#include "orchestrator/bus/bus.h"

enum { SIGNAL_ID_SIZE_MAX = 255 }; /* of ce_id, as of an Idempotency-Key */

struct signal_record {
    struct uuid saga_id; /* zero where `what` says that it is none */
    struct event event;  /* kind EVENT_SIGNAL */
    const char *what;    /* NULL; else why it is malformed: one clause for people */
};

/* Whether the record is, or as a dead letter was, one of the signal topic; else it is a reply. */
bool signal_is_one(const struct bus_record *record);

/*
 * Bytes of *ret_signal live in `arena` or borrow from `record`. Checks: ce_type is there (the
 * signal's name), ce_subject a saga's id, ce_id a text; value valid JSON (or empty), at most 256
 * KiB, depth at most 128. False: malformed.
 */
bool signal_read(const struct bus_record *record, struct arena *arena,
                 struct signal_record *ret_signal);

/* The signal is once by this key, wherever it comes from; absent: it is always a new one. */
void signal_set_key(struct event *event, struct bytes key);

#endif
