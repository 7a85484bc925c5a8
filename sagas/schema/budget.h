/*
 * sagas/schema/budget.h
 *   What a check may still cost. For the files of sagas/schema/ only.
 */
#ifndef SAGAS_SCHEMA_BUDGET_H
#define SAGAS_SCHEMA_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

struct budget {
    size_t left;
    bool spent; /* more was wanted than there was: whatever came out of it counts for nothing */
};

/* False: there is not enough left. */
bool budget_take(struct budget *budget, size_t operations);

#endif
