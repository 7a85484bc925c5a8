/*
 * sagas/definition/near.h
 *   The name that was meant.
 */
#ifndef SAGAS_DEFINITION_NEAR_H
#define SAGAS_DEFINITION_NEAR_H

#include "sagas/base/bytes.h"

/*
 * How many letters must be changed, added, left out or swapped with their neighbour to make
 * one name of the other, case aside; a number above `most` when it is more than `most`, or
 * when a name is too long to be guessed.
 */
size_t near_distance(struct bytes a, struct bytes b, size_t most);

/* The most letters that a name as written may be away from the one that was meant. */
size_t near_limit(struct bytes name);

#endif
