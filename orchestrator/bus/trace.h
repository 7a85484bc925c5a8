/*
 * orchestrator/bus/trace.h
 *   W3C trace context of a command. A saga is one trace across restarts and hours: ids are a
 *   pure function of saga, step, index, op and attempt.
 */
#ifndef ORCHESTRATOR_BUS_TRACE_H
#define ORCHESTRATOR_BUS_TRACE_H

#include "sagas/machine/machine.h"

enum { TRACE_PARENT_SIZE = 56 }; /* with the NUL */

/* A traceparent that may be continued: version 00 to fe, ids that are not zero. */
bool trace_parent_is_valid(struct bytes trace_parent);

/*
 * traceparent of `command`: trace id and flags of `caller` where that is valid, else the saga id
 * and "01" (sampled).
 */
void trace_parent_print(const struct command *command, struct bytes caller,
                        char ret_text[TRACE_PARENT_SIZE]);

#endif
