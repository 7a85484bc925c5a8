/*
 * participants/demo/services.h
 *   One row for each command type: what refuses it, what it does, what it answers.
 */
#ifndef PARTICIPANTS_DEMO_SERVICES_H
#define PARTICIPANTS_DEMO_SERVICES_H

#include "participants/c/participant.h"

#include <stdbool.h>

/* Carry out `command` in its open transaction. To be called by the barrier. */
struct participant_reply service_handle(const struct participant_command *command, void *unused);
/* The effect of this command happens, but its answer is lost on the way, each time. */
bool service_loses_answer(const struct participant_command *command);

#endif
