#include "orchestrator/store/result.h"

#include "sagas/base/uuid.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t read_big_endian(const char *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | (uint8_t)at[i];
    }
    return value;
}

/* Whatever width the column has; sign-extended. */
static int64_t read_number(const PGresult *result, int row, int field)
{
    const char *const at = PQgetvalue(result, row, field);
    switch (PQgetlength(result, row, field)) {
    case 1: return (int8_t)at[0];
    case 2: return (int16_t)read_big_endian(at, 2);
    case 4: return (int32_t)read_big_endian(at, 4);
    case 8: return (int64_t)read_big_endian(at, 8);
    default: abort(); /* not a number */
    }
}

static struct bytes read_bytes(const PGresult *result, int row, int field, struct arena *arena)
{
    const struct bytes value = {PQgetvalue(result, row, field),
                                (size_t)PQgetlength(result, row, field)};
    return bytes_copy(arena, value);
}

static void read_fixed(const PGresult *result, int row, int field, void *member, size_t size)
{
    assert((size_t)PQgetlength(result, row, field) == size);
    memcpy(member, PQgetvalue(result, row, field), size);
}

static void read_member(const PGresult *result, int row, int field, const struct column *column,
                        struct arena *arena, void *member)
{
    if (PQgetisnull(result, row, field)) return; /* the record was zeroed: absent, none, 0 */
    switch (column->type) {
    case COLUMN_BOOL: *(bool *)member = read_number(result, row, field) != 0; break;
    case COLUMN_CHAR: *(char *)member = (char)read_number(result, row, field); break;
    case COLUMN_SHORT: *(uint16_t *)member = (uint16_t)read_number(result, row, field); break;
    case COLUMN_ENUM:
    case COLUMN_INT: *(int32_t *)member = (int32_t)read_number(result, row, field); break;
    case COLUMN_BIGINT:
    case COLUMN_BIGINT_OR_NULL: *(int64_t *)member = read_number(result, row, field); break;
    case COLUMN_UUID:
    case COLUMN_UUID_OR_NULL: read_fixed(result, row, field, member, sizeof(struct uuid)); break;
    case COLUMN_HASH: read_fixed(result, row, field, member, 32); break;
    case COLUMN_TEXT:
    case COLUMN_BYTEA: *(struct bytes *)member = read_bytes(result, row, field, arena); break;
    case COLUMN_STRING:
    case COLUMN_TYPE_COUNT: abort(); /* not a type that can be read */
    }
}

void result_row(const PGresult *result, int row, struct columns columns, struct arena *arena,
                void *ret_record)
{
    assert((size_t)PQnfields(result) >= columns.count);
    for (size_t i = 0; i < columns.count; i++) {
        const struct column *const column = &columns.column[i];
        read_member(result, row, (int)i, column, arena, (char *)ret_record + column->offset);
    }
}

void *result_rows(const PGresult *result, struct columns columns, struct arena *arena,
                  size_t *ret_count)
{
    const size_t count = (size_t)PQntuples(result);
    char *const records = arena_array(arena, count + 1, columns.stride);
    for (size_t i = 0; i < count; i++) {
        result_row(result, (int)i, columns, arena, records + i * columns.stride);
    }
    *ret_count = count;
    return records;
}

int64_t result_bigint(const PGresult *result, int row, int field)
{
    assert(!PQgetisnull(result, row, field));
    return read_number(result, row, field);
}

bool result_bool(const PGresult *result, int row, int field)
{
    return result_bigint(result, row, field) != 0;
}
