/*
 * cli/nearest.h
 *   "Did you mean": the known word that a mistyped one is closest to.
 */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

/* Single-letter inserts, drops, changes and swaps of neighbours between two words. */
int nearest_distance(const char *a, const char *b);

struct nearest {
    const char *word; /* what was typed */
    const char *best; /* NULL: nothing is close */
    int distance;
};

/* Compare one more candidate; keeps the closest that is close enough to be meant. */
void nearest_try(struct nearest *nearest, const char *candidate);

#endif
