#include "orchestrator/store/params.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_SIZE = 32, ARRAY_HEADER_SIZE = 20, NULL_LENGTH = -1 };

/* Fixed by PostgreSQL's catalog (pg_type.dat). */
static const uint32_t ELEMENT_OID[COLUMN_TYPE_COUNT] = {
    [COLUMN_BOOL] = 16,
    [COLUMN_CHAR] = 18,
    [COLUMN_SHORT] = 21,
    [COLUMN_ENUM] = 21,
    [COLUMN_INT] = 23,
    [COLUMN_BIGINT] = 20,
    [COLUMN_UUID] = 2950,
    [COLUMN_BIGINT_OR_NULL] = 20,
    [COLUMN_HASH] = 17,
    [COLUMN_TEXT] = 25,
    [COLUMN_UUID_OR_NULL] = 2950,
    [COLUMN_BYTEA] = 17,
    [COLUMN_STRING] = 25,
};

static char *write_big_endian(char *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (char)(value >> (8 * (size - 1 - i)));
    }
    return at + size;
}

struct params *params_new(struct arena *arena)
{
    struct params *const params = arena_alloc(arena, sizeof(*params));
    params->arena = arena;
    return params;
}

static void add(struct params *params, const char *value, size_t size)
{
    assert(params->count < PARAMS_MAX);
    assert(size <= INT_MAX);
    params->value[params->count] = value;
    params->length[params->count] = (int)size;
    params->format[params->count] = 1;
    params->count++;
}

static void add_number(struct params *params, uint64_t value, size_t size)
{
    char *const at = arena_alloc(params->arena, size);
    (void)write_big_endian(at, value, size);
    add(params, at, size);
}

void params_bool(struct params *params, bool value)
{
    add_number(params, value, 1);
}

void params_short(struct params *params, int16_t value)
{
    add_number(params, (uint16_t)value, 2);
}

void params_int(struct params *params, int32_t value)
{
    add_number(params, (uint32_t)value, 4);
}

void params_bigint(struct params *params, int64_t value)
{
    add_number(params, (uint64_t)value, 8);
}

void params_uuid(struct params *params, const struct uuid *value)
{
    if (value == NULL) {
        add(params, NULL, 0);
    } else {
        add(params, arena_copy(params->arena, value->byte, sizeof(value->byte)),
            sizeof(value->byte));
    }
}

void params_bytes(struct params *params, struct bytes value)
{
    add(params, value.data, value.size);
}

void params_string(struct params *params, const char *value)
{
    params_bytes(params, bytes_of(value));
}

/* What an element is before it is written: a number, or bytes. */
struct element {
    bool null;
    uint64_t number;
    size_t size;
    const void *data; /* NULL: the number */
};

static struct element number(uint64_t value, size_t size)
{
    return (struct element){.number = value, .size = size};
}

static struct element bytes(const void *data, size_t size)
{
    return (struct element){.data = data, .size = size, .null = data == NULL};
}

static struct element uuid_or_null(const struct uuid *id)
{
    static const struct uuid NONE;
    struct element element = bytes(id->byte, sizeof(id->byte));
    element.null = uuid_equal(id, &NONE);
    return element;
}

static struct element bigint_or_null(int64_t value)
{
    struct element element = number((uint64_t)value, 8);
    element.null = value == 0;
    return element;
}

static struct element text(const struct bytes *value)
{
    return bytes(value->data, value->size);
}

static struct element element_of(const struct column *column, const void *row)
{
    const void *const member = (const char *)row + column->offset;
    switch (column->type) {
    case COLUMN_BOOL: return number(*(const bool *)member, 1);
    case COLUMN_CHAR: return bytes(member, 1);
    case COLUMN_SHORT: return number(*(const uint16_t *)member, 2);
    case COLUMN_ENUM: return number(*(const uint32_t *)member, 2);
    case COLUMN_INT: return number(*(const uint32_t *)member, 4);
    case COLUMN_BIGINT: return number(*(const uint64_t *)member, 8);
    case COLUMN_BIGINT_OR_NULL: return bigint_or_null(*(const int64_t *)member);
    case COLUMN_UUID: return bytes(member, sizeof(struct uuid));
    case COLUMN_UUID_OR_NULL: return uuid_or_null(member);
    case COLUMN_HASH: return bytes(member, HASH_SIZE);
    case COLUMN_TEXT:
    case COLUMN_BYTEA: return text(member);
    case COLUMN_STRING: {
        const struct bytes value = bytes_of(*(const char *const *)member);
        return text(&value);
    }
    case COLUMN_TYPE_COUNT: break;
    }
    abort(); /* not a type of column */
}

static char *write_element(char *at, const struct element *element)
{
    if (element->null) return write_big_endian(at, (uint32_t)NULL_LENGTH, 4);
    at = write_big_endian(at, element->size, 4);
    if (element->data == NULL) return write_big_endian(at, element->number, element->size);
    memcpy(at, element->data, element->size);
    return at + element->size;
}

static void add_column(struct params *params, const struct column *column, const void *const *rows,
                       size_t count)
{
    size_t size = ARRAY_HEADER_SIZE;
    bool has_null = false;
    for (size_t i = 0; i < count; i++) {
        const struct element element = element_of(column, rows[i]);
        size += 4 + (element.null ? 0 : element.size);
        has_null = has_null || element.null;
    }

    char *const array = arena_room(params->arena, size);
    char *at = write_big_endian(array, count == 0 ? 0 : 1, 4); /* dimensions */
    at = write_big_endian(at, has_null, 4);
    at = write_big_endian(at, ELEMENT_OID[column->type], 4);
    at = write_big_endian(at, count, 4);
    at = write_big_endian(at, 1, 4); /* lower bound */
    for (size_t i = 0; i < count; i++) {
        const struct element element = element_of(column, rows[i]);
        at = write_element(at, &element);
    }
    assert(at == array + size);
    add(params, array, count == 0 ? 12 : size); /* an empty array has no bounds */
}

void params_columns(struct params *params, struct columns columns, const void *const *rows,
                    size_t count)
{
    for (size_t i = 0; i < columns.count; i++) {
        add_column(params, &columns.column[i], rows, count);
    }
}

void params_array(struct params *params, struct columns columns, const void *rows, size_t count)
{
    const void **const pointers = arena_array(params->arena, count + 1, sizeof(*pointers));
    for (size_t i = 0; i < count; i++) {
        pointers[i] = (const char *)rows + i * columns.stride;
    }
    params_columns(params, columns, pointers, count);
}
