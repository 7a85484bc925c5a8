/*
 * sagas/machine/failure.h
 *   Why a saga is stuck or tries again, so that sagas with the same trouble can be shown together.
 *
 * It follows from the state alone: the same saga has the same failure on every node.
 */
#ifndef SAGAS_MACHINE_FAILURE_H
#define SAGAS_MACHINE_FAILURE_H

#include "sagas/machine/saga.h"

enum failure_state { FAILURE_NONE, FAILURE_RETRYING, FAILURE_STUCK };

struct failure {
    enum failure_state state;
    struct bytes step; /* id; absent: the saga as a whole */
    enum op op;
    struct bytes code; /* absent: nobody said why */
};

/*
 * A stuck saga's error; else the first of its steps that is sent again or waits to be. Everything
 * borrows from the saga.
 */
struct failure saga_failure(const struct saga *saga);
/* What sagas of one definition with equal failures have in common; 0: none. It is stored. */
uint64_t failure_key(const struct failure *failure, int64_t definition_id);

const char *failure_state_name(enum failure_state state);
/* "stuck" or "retrying" */
bool failure_state_parse(struct bytes name, enum failure_state *ret_state);

#endif
