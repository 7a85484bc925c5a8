#include "sagas/base/bytes.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_CAPACITY_MIN = 64 };

struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, text == NULL ? 0 : strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    if (a.data == NULL || b.data == NULL) return a.data == b.data;
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

bool bytes_equal_text(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of(text));
}

int bytes_compare(struct bytes a, struct bytes b)
{
    if (a.data == NULL || b.data == NULL) return (a.data != NULL) - (b.data != NULL);
    const int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

struct bytes bytes_copy(struct arena *arena, struct bytes source)
{
    if (source.data == NULL) return source;
    return (struct bytes){arena_copy(arena, source.data, source.size), source.size};
}

struct buffer buffer_in(struct arena *arena)
{
    return (struct buffer){.arena = arena};
}

void buffer_expect(struct buffer *buffer, size_t more)
{
    if (more >= SIZE_MAX / 4 - buffer->size) abort();
    const size_t needed = buffer->size + more + 1;
    if (needed <= buffer->capacity) return;

    size_t capacity =
        buffer->capacity < BUFFER_CAPACITY_MIN ? BUFFER_CAPACITY_MIN : buffer->capacity * 2;
    if (capacity < needed) capacity = needed;
    if (buffer->data == NULL ||
        !arena_extend(buffer->arena, buffer->data, buffer->capacity, capacity)) {
        char *const data = arena_room(buffer->arena, capacity);
        if (buffer->data != NULL) memcpy(data, buffer->data, buffer->size);
        data[buffer->size] = '\0';
        buffer->data = data;
    }
    buffer->capacity = capacity;
}

void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
    buffer_expect(buffer, size);
    if (size > 0) memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

void buffer_add_bytes(struct buffer *buffer, struct bytes bytes)
{
    buffer_add(buffer, bytes.data, bytes.size);
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add_bytes(buffer, bytes_of(text));
}

void buffer_add_char(struct buffer *buffer, char c)
{
    buffer_expect(buffer, 1);
    buffer->data[buffer->size++] = c;
    buffer->data[buffer->size] = '\0';
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(size >= 0);

    buffer_expect(buffer, (size_t)size);
    va_start(arguments, format);
    (void)vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}

void buffer_cut(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    if (buffer->data == NULL) return;
    buffer->size = size;
    buffer->data[size] = '\0';
}

struct bytes buffer_bytes(const struct buffer *buffer)
{
    if (buffer->data == NULL) return BYTES("");
    return (struct bytes){buffer->data, buffer->size};
}
