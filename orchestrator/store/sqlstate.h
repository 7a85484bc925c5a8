/*
 * orchestrator/store/sqlstate.h
 *   What a SQLSTATE means to us. The only place that knows.
 */
#ifndef ORCHESTRATOR_STORE_SQLSTATE_H
#define ORCHESTRATOR_STORE_SQLSTATE_H

#include "orchestrator/base/err.h"

enum remedy {
    REMEDY_NONE,
    REMEDY_AGAIN,     /* the transaction is certainly undone: the same work may succeed now */
    REMEDY_RECONNECT, /* this connection is of no more use */
    REMEDY_ENROL,     /* the writer was fenced: take a new place */
};

struct sqlstate_meaning {
    const char *prefix; /* of the five characters */
    enum err_kind kind;
    enum remedy remedy;
};

/* Never NULL; an unknown state is ours to mend. */
const struct sqlstate_meaning *sqlstate_meaning(const char *sqlstate);

#endif
