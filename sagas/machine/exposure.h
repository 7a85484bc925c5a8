/*
 * sagas/machine/exposure.h
 *   What a saga has done to the world that is neither confirmed nor undone yet.
 *
 * A step tells what it is worth by `effect`. It counts from the moment when the step has succeeded,
 * or nobody knows whether it has, until it is undone or the saga ends. It follows from the state
 * alone.
 */
#ifndef SAGAS_MACHINE_EXPOSURE_H
#define SAGAS_MACHINE_EXPOSURE_H

#include "sagas/machine/saga.h"

enum exposed {
    EXPOSED_NOT,
    EXPOSED_DONE,
    EXPOSED_UNKNOWN, /* nobody knows whether it happened */
};

/* A run of a step; of a foreach over nothing there is none to ask about. */
enum exposed run_exposed(const struct saga *saga, const struct step *step,
                         const struct step_run *run);

#endif
