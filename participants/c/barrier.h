/*
 * participants/c/barrier.h
 *   A handler inside the SQL barrier (participants/sql/barrier.sql): each command takes effect
 * once.
 */
#ifndef PARTICIPANTS_C_BARRIER_H
#define PARTICIPANTS_C_BARRIER_H

#include "participants/c/participant.h"

#include <stdbool.h>

struct barrier;

/* Connects; NULL with the reason on stderr when the database or the barrier is not there. */
struct barrier *barrier_open(const char *database);
void barrier_close(struct barrier *barrier);

/*
 * Carry out `command` in a transaction of its own. False: nobody knows whether it was committed,
 * and nothing must be answered; sagad will ask again.
 */
bool barrier_handle(struct barrier *barrier, struct participant_command *command,
                    participant_handle *handle, void *context, struct participant_reply *ret_reply);

#endif
