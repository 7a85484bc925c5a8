/*
 * cli/json.h
 *   Reading the members of an answer; absent and wrong types read as nothing.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "sagas/base/json_view.h"

/* A string member, decoded; absent otherwise. */
struct bytes json_text(const struct json_view *view, const char *name);
bool json_is(const struct json_view *view, const char *name, const char *text);
bool json_true(const struct json_view *view, const char *name);
int64_t json_int(const struct json_view *view, const char *name, int64_t otherwise);
/* RFC 3339 member to Unix ms; 0: none. */
int64_t json_time(const struct json_view *view, const char *name);
/* A member that is neither absent nor null; NULL otherwise. */
const struct json_view *json_value(const struct json_view *view, const char *name);
/* First item of the array member `name`; NULL when there is none. Walk with ->next. */
const struct json_view *json_items(const struct json_view *view, const char *name);
/* A string as it is, anything else as compact JSON; null and absent give "". */
struct bytes json_plain(const struct json_view *view, struct arena *arena);

#endif
