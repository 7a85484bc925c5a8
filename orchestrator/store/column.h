/*
 * orchestrator/store/column.h
 *   How a member of a struct and a column of a statement correspond.
 *
 * A table of columns describes an array of structs once; params.c makes binary array parameters
 * of it and result.c fills structs from binary results.
 */
#ifndef ORCHESTRATOR_STORE_COLUMN_H
#define ORCHESTRATOR_STORE_COLUMN_H

#include <stddef.h>

enum column_type {                        /* in memory            in SQL */
                   COLUMN_BOOL,           /* bool                 boolean */
                   COLUMN_CHAR,           /* char                 "char" */
                   COLUMN_SHORT,          /* uint16_t             smallint */
                   COLUMN_ENUM,           /* an enum              smallint */
                   COLUMN_INT,            /* int32_t, uint32_t    int */
                   COLUMN_BIGINT,         /* int64_t              bigint */
                   COLUMN_BIGINT_OR_NULL, /* int64_t, 0 is null   bigint */
                   COLUMN_UUID,           /* struct uuid          uuid */
                   COLUMN_UUID_OR_NULL,   /* ..., all 0 is null   uuid */
                   COLUMN_HASH,           /* uint8_t[32]          bytea */
                   COLUMN_TEXT,           /* struct bytes         text; absent is null */
                   COLUMN_BYTEA,          /* struct bytes         bytea; absent is null */
                   COLUMN_STRING,         /* const char *         text; only as a parameter */
                   COLUMN_TYPE_COUNT,
};

struct column {
    enum column_type type;
    size_t offset;
};

#define COLUMN(type, record, member)                                                               \
    {                                                                                              \
        COLUMN_##type, offsetof(struct record, member)                                             \
    }

struct columns {
    const struct column *column;
    size_t count;
    size_t stride; /* size of the struct */
};

#define COLUMNS(table, record)                                                                     \
    ((struct columns){(table), sizeof(table) / sizeof((table)[0]), sizeof(struct record)})

#endif
