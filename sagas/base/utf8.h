/*
 * sagas/base/utf8.h
 *   UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, at most U+10FFFF.
 */
#ifndef SAGAS_BASE_UTF8_H
#define SAGAS_BASE_UTF8_H

#include "sagas/base/bytes.h"

#include <stdint.h>

enum { UTF8_SIZE_MAX = 4 };

/* Bytes (1 to 4) of the character at `at`, which is before `end`; 0 when it is malformed. */
size_t utf8_size(const char *at, const char *end);
bool utf8_valid(struct bytes text);
/* Characters (code points) of valid text. */
size_t utf8_count(struct bytes text);
/* Write a code point that is no surrogate; the bytes written. */
size_t utf8_encode(uint32_t code_point, char ret_text[UTF8_SIZE_MAX]);
/* The longest prefix of at most `size_max` bytes that splits no character of valid text. */
struct bytes utf8_prefix(struct bytes text, size_t size_max);

#endif
