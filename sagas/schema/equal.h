/*
 * sagas/schema/equal.h
 *   When two JSON values are the same: 1 and 1.0 are, members in another order are.
 */
#ifndef SAGAS_SCHEMA_EQUAL_H
#define SAGAS_SCHEMA_EQUAL_H

#include "sagas/base/json_view.h"
#include "sagas/schema/budget.h"

bool values_equal(const struct json_view *a, const struct json_view *b, struct arena *arena,
                  struct budget *budget);
/* False: two items of the list are equal; the later one of them is `ret_index`. */
bool items_are_unique(const struct json_view *list, struct arena *arena, struct budget *budget,
                      size_t *ret_index);

#endif
