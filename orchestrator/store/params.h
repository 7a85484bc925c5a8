/*
 * orchestrator/store/params.h
 *   Binary parameters of one statement, in an arena.
 */
#ifndef ORCHESTRATOR_STORE_PARAMS_H
#define ORCHESTRATOR_STORE_PARAMS_H

#include "orchestrator/store/column.h"
#include "sagas/base/bytes.h"
#include "sagas/base/uuid.h"

#include <stdint.h>

enum { PARAMS_MAX = 20 };

struct params {
    struct arena *arena;
    int count;
    const char *value[PARAMS_MAX]; /* NULL: null */
    int length[PARAMS_MAX];
    int format[PARAMS_MAX]; /* 1: binary */
};

/* No parameters yet; lives in the arena. */
struct params *params_new(struct arena *arena);

void params_bool(struct params *params, bool value);
void params_short(struct params *params, int16_t value);
void params_int(struct params *params, int32_t value);
void params_bigint(struct params *params, int64_t value);
void params_uuid(struct params *params, const struct uuid *value); /* NULL: null */
void params_bytes(struct params *params, struct bytes value);      /* text or bytea; absent: null */
void params_string(struct params *params, const char *value);

/* One array parameter a column, with an element for each of `rows`. */
void params_columns(struct params *params, struct columns columns, const void *const *rows,
                    size_t count);
/* The same for structs that lie side by side. */
void params_array(struct params *params, struct columns columns, const void *rows, size_t count);

#endif
