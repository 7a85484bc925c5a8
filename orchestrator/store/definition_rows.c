/*
 * orchestrator/store/definition_rows.c
 *   Definitions: immutable versions of a name, and what operators said of them.
 */
#include "orchestrator/base/clock.h"
#include "orchestrator/store/store_private.h"

enum { RACES_MAX = 10 };

static const struct column DEFINITION_COLUMNS[] = {
    COLUMN(BIGINT, definition_row, id),       COLUMN(TEXT, definition_row, name),
    COLUMN(INT, definition_row, version),     COLUMN(HASH, definition_row, hash),
    COLUMN(TEXT, definition_row, source),     COLUMN(BIGINT, definition_row, created_at_ms),
    COLUMN(BOOL, definition_row, deprecated), COLUMN(BOOL, definition_row, paused),
};

static void take_row(const PGresult *result, struct arena *arena, struct definition_row *ret_row)
{
    *ret_row = (struct definition_row){0};
    result_row(result, 0, COLUMNS(DEFINITION_COLUMNS, definition_row), arena, ret_row);
}

static bool take_only_row(const PGresult *result, struct arena *arena,
                          struct definition_row *ret_row, struct err *err)
{
    if (PQntuples(result) == 0) return err_set(err, ERR_NOT_FOUND, "there is no such definition");
    take_row(result, arena, ret_row);
    return true;
}

static struct params *params_of_content(struct store *store, struct bytes name,
                                        const uint8_t hash[DEFINITION_HASH_SIZE],
                                        struct bytes source)
{
    struct params *const params = store_params(store);
    params_bytes(params, name);
    params_bytes(params, (struct bytes){(const char *)hash, DEFINITION_HASH_SIZE});
    params_bytes(params, source);
    return params;
}

static void make_put(struct store *store, struct round *round, struct params *put,
                     struct bytes name, uint32_t stated_version)
{
    params_int(put, (int32_t)stated_version);
    params_bigint(put, clock_wall_ms());
    struct params *const next = store_params(store);
    params_bytes(next, name);
    round_add(round, &SQL_DEFINITION_PUT, put);
    round_add(round, &SQL_DEFINITION_NEXT, next);
}

/* Somebody registering the same name at this moment is a conflict: then look again. */
static bool run_through_races(struct store *store, struct round *round, struct err *err)
{
    for (int races = 0;; races++) {
        struct err failure;
        if (store_run(store, round, &failure)) return true;
        if (failure.kind != ERR_CONFLICT || races == RACES_MAX) {
            *err = failure;
            return false;
        }
    }
}

bool store_definition_put(struct store *store, struct bytes name,
                          const uint8_t hash[DEFINITION_HASH_SIZE], struct bytes source,
                          uint32_t stated_version, struct arena *arena,
                          struct definition_row *ret_row, bool *ret_new, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    make_put(store, &round, params_of_content(store, name, hash, source), name, stated_version);
    if (!run_through_races(store, &round, err)) return false;

    const PGresult *const put = round.result[0];
    if (PQntuples(put) == 0) {
        return err_set(err, ERR_INVALID, "version %u is stated, the next one is %d", stated_version,
                       (int)result_bigint(round.result[1], 0, 0));
    }
    struct definition_row row;
    take_row(put, arena, &row);
    if (stated_version != 0 && stated_version != row.version) {
        return err_set(err, ERR_INVALID, "version %u is stated, but this content is version %u",
                       stated_version, row.version);
    }
    *ret_row = row;
    *ret_new = result_bool(put, 0, (int)ARRAY_LEN(DEFINITION_COLUMNS));
    return true;
}

bool store_definition_put_inline(struct store *store, struct bytes name,
                                 const uint8_t hash[DEFINITION_HASH_SIZE], struct bytes source,
                                 struct arena *arena, struct definition_row *ret_row,
                                 struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = params_of_content(store, name, hash, source);
    params_bigint(params, clock_wall_ms());
    round_add(&round, &SQL_DEFINITION_PUT_INLINE, params);
    for (int races = 0; races < RACES_MAX; races++) {
        if (!run_through_races(store, &round, err)) return false;
        if (PQntuples(round.result[0]) == 0) continue;
        take_row(round.result[0], arena, ret_row);
        return true;
    }
    return err_set(err, ERR_UNAVAILABLE, "an inline definition could not be stored");
}

bool store_definition_by_id(struct store *store, int64_t id, struct arena *arena,
                            struct definition_row *ret_row, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, id);
    round_add(&round, &SQL_DEFINITION_BY_ID, params);
    if (!store_run(store, &round, err)) return false;
    return take_only_row(round.result[0], arena, ret_row, err);
}

bool store_definition_by_name(struct store *store, struct bytes name, uint32_t version,
                              struct arena *arena, struct definition_row *ret_row, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, name);
    params_int(params, (int32_t)version);
    round_add(&round, &SQL_DEFINITION_BY_NAME, params);
    if (!store_run(store, &round, err)) return false;
    return take_only_row(round.result[0], arena, ret_row, err);
}

bool store_definition_list(struct store *store, struct bytes after_name, size_t limit,
                           struct arena *arena, struct definition_row **ret_rows, size_t *ret_count,
                           struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, after_name.data != NULL ? after_name : BYTES(""));
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_DEFINITION_LIST, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows =
        result_rows(round.result[0], COLUMNS(DEFINITION_COLUMNS, definition_row), arena, ret_count);
    return true;
}

bool store_definition_versions(struct store *store, struct bytes name, struct arena *arena,
                               struct definition_row **ret_rows, size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, name);
    round_add(&round, &SQL_DEFINITION_VERSIONS, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows =
        result_rows(round.result[0], COLUMNS(DEFINITION_COLUMNS, definition_row), arena, ret_count);
    return true;
}

bool store_definition_set(struct store *store, struct bytes name, uint32_t version,
                          enum definition_flag flag, bool value, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, name);
    if (flag == DEFINITION_DEPRECATED) params_int(params, (int32_t)version);
    params_bool(params, value);
    round_add(&round,
              flag == DEFINITION_DEPRECATED ? &SQL_DEFINITION_DEPRECATE : &SQL_DEFINITION_PAUSE,
              params);
    if (!store_run(store, &round, err)) return false;
    if (PQntuples(round.result[0]) == 1) return true;
    return err_set(err, ERR_NOT_FOUND, "there is no such definition");
}
