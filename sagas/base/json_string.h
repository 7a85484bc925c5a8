/*
 * sagas/base/json_string.h
 *   Strings of JSON text. Inside sagas/base only; others use json_view.h.
 */
#ifndef SAGAS_BASE_JSON_STRING_H
#define SAGAS_BASE_JSON_STRING_H

#include "sagas/base/bytes.h"

/*
 * Read the string whose opening quote is at *at, before `end`. On success *at is behind the
 * closing quote and *ret_string is what it says: a part of the text where nothing is
 * escaped, otherwise a copy in `arena`. On failure *at is the byte that is wrong and the result
 * says why; NULL means success.
 */
const char *json_string_read(const char **at, const char *end, struct arena *arena,
                             struct bytes *ret_string);

#endif
