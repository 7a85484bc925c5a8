/*
 * sagas/base/bytes.h
 *   A borrowed run of bytes, and a buffer that grows inside an arena.
 *
 * `data == NULL` means absent; an empty run has data and size 0.
 */
#ifndef SAGAS_BASE_BYTES_H
#define SAGAS_BASE_BYTES_H

#include "sagas/base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct bytes {
    const char *data;
    size_t size;
};

#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})

/* The bytes of a C string; NULL gives absent bytes. */
struct bytes bytes_of(const char *text);
/* Absent equals absent only, not the empty run. */
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_text(struct bytes a, const char *text);
/* Order of memcmp, a prefix before the longer run, absent before everything: <0, 0 or >0. */
int bytes_compare(struct bytes a, struct bytes b);
/* A NUL-terminated copy in the arena; absent stays absent. */
struct bytes bytes_copy(struct arena *arena, struct bytes source);

struct buffer {
    struct arena *arena;
    char *data; /* NUL-terminated whenever not NULL */
    size_t size;
    size_t capacity;
};

struct buffer buffer_in(struct arena *arena);
/* Room for so many bytes to come: a buffer that knows its size is not copied while it grows. */
void buffer_expect(struct buffer *buffer, size_t more);
void buffer_add(struct buffer *buffer, const void *data, size_t size);
void buffer_add_bytes(struct buffer *buffer, struct bytes bytes);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_char(struct buffer *buffer, char c);
__attribute__((format(printf, 2, 3))) void buffer_add_format(struct buffer *buffer,
                                                             const char *format, ...);
/* Drop what was added beyond `size` bytes. */
void buffer_cut(struct buffer *buffer, size_t size);
/* What was added so far; valid until the next add or the arena's reset. */
struct bytes buffer_bytes(const struct buffer *buffer);

#endif
