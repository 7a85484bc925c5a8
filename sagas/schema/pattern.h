/*
 * sagas/schema/pattern.h
 *   `pattern`: the regular part of ECMA-262's expressions, over code points, in linear time.
 *
 * A pattern becomes a small program whose states are followed side by side, so no text makes it
 * slow: the cost is at most the size of the program for each character. What cannot be
 * followed so (back-references, looking ahead or behind) and what needs tables of Unicode (\p{L})
 * is refused.
 */
#ifndef SAGAS_SCHEMA_PATTERN_H
#define SAGAS_SCHEMA_PATTERN_H

#include "sagas/base/bytes.h"
#include "sagas/schema/budget.h"

struct pattern;

/* In `arena`; NULL and one clause in `ret_why` when it is none. `source` is valid UTF-8 and copied.
 */
const struct pattern *pattern_compile(struct bytes source, struct arena *arena,
                                      const char **ret_why);
struct bytes pattern_source(const struct pattern *pattern);
/* True when the pattern is found anywhere in `text`, valid UTF-8. */
bool pattern_matches(const struct pattern *pattern, struct bytes text, struct arena *arena,
                     struct budget *budget);

#endif
