/*
 * sagas/definition/content.h
 *   What makes two texts the same definition.
 */
#ifndef SAGAS_DEFINITION_CONTENT_H
#define SAGAS_DEFINITION_CONTENT_H

#include "sagas/base/json_view.h"

/*
 * The compact JSON of an object with the members of every object sorted by name, and the
 * top-level `version` left out. Strings are written in one form (`\u0061` as `a`); numbers keep
 * their bytes, for `1.0` may mean something else than `1` to a participant.
 */
struct bytes definition_content(const struct json_view *root, struct arena *arena);

#endif
