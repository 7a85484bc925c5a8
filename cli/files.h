/*
 * cli/files.h
 *   Reading what the person names: a file, or stdin as `-`.
 */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "sagas/base/bytes.h"

/* The whole of it. False, told, when it cannot be read or is larger. */
bool files_read(const char *name, size_t size_max, struct arena *arena, struct bytes *ret_text);

/*
 * A value of the kind FILE|-|JSON: what starts like a JSON object, list or string is the value
 * itself. False, told, when it is not there or no JSON. The bytes are as they were given,
 * without the white space around them.
 */
bool files_read_json(const char *value, struct arena *arena, struct bytes *ret_json);

#endif
