/*
 * orchestrator/store/retire.c
 *   What is old goes, in short steps.
 *
 * Hot rows are deleted by key, in pages. Then the week that held their starts, tags and history is
 * taken out of the tables in one short transaction, which carries the few sagas that are kept to
 * <table>_other, and dropped where nobody waits for it. What lies in <table>_other is looked
 * through block by block. Every step may be run by any node at any time, twice or at once.
 */
#include "orchestrator/store/store_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    PAGE_ROWS = 1000,
    PAGE_BLOCKS = 32,
    KEPT_MAX = 2000, /* sagas of a week: what is moved while locks are held */
};

typedef bool step(struct store *store, int64_t retention_ms, struct retirement *pass,
                  struct err *err);

enum phase {
    DROP_WEEKS,
    FIND_WEEK,
    DELETE_SAGAS,
    TAKE_WEEK_OUT,
    LOOK_BESIDE,
    DELETE_LETTERS,
    DELETE_BATCHES,
    PHASE_COUNT,
};

static bool ask(struct store *store, struct round *round, const struct sql *sql,
                struct params *params, struct err *err)
{
    round_add(round, sql, params);
    return store_run(store, round, err);
}

static void go_to(struct retirement *pass, enum phase phase)
{
    pass->phase = (int)phase;
}

/* ---- weeks ---- */

static bool drop_weeks(struct store *store, int64_t retention_ms, struct retirement *pass,
                       struct err *err)
{
    (void)retention_ms;
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    if (!ask(store, &round, &SQL_RETIRE_WEEK_DROP, NULL, err)) return false;
    if (PQgetisnull(round.result[0], 0, 0)) go_to(pass, FIND_WEEK);
    return true;
}

static bool find_week(struct store *store, int64_t retention_ms, struct retirement *pass,
                      struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = params_new(&store->scratch);
    params_int(params, pass->week);
    params_bigint(params, retention_ms);
    if (!ask(store, &round, &SQL_RETIRE_WEEK_FIND, params, err)) return false;
    if (PQntuples(round.result[0]) == 0) {
        go_to(pass, LOOK_BESIDE);
        return true;
    }
    pass->week = (int32_t)result_bigint(round.result[0], 0, 0);
    pass->after = (struct uuid){0};
    go_to(pass, DELETE_SAGAS);
    return true;
}

static bool delete_sagas(struct store *store, int64_t retention_ms, struct retirement *pass,
                         struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_int(params, pass->week);
    params_uuid(params, &pass->after);
    params_bigint(params, PAGE_ROWS);
    params_bigint(params, retention_ms);
    if (!ask(store, &round, &SQL_RETIRE_SAGAS, params, err)) return false;
    const PGresult *const result = round.result[0];
    pass->sagas += (uint64_t)result_bigint(result, 0, 2);
    if (result_bigint(result, 0, 1) < PAGE_ROWS) {
        go_to(pass, TAKE_WEEK_OUT);
        return true;
    }
    memcpy(&pass->after, PQgetvalue(result, 0, 0), sizeof pass->after);
    return true;
}

static bool take_week_out(struct store *store, int64_t retention_ms, struct retirement *pass,
                          struct err *err)
{
    (void)retention_ms;
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = params_new(&store->scratch);
    params_int(params, pass->week);
    params_int(params, KEPT_MAX);
    if (!ask(store, &round, &SQL_RETIRE_WEEK, params, err)) return false;
    if (PQgetisnull(round.result[0], 0, 0)) {
        pass->next = RETIRE_LATER;
        return true;
    }
    const int64_t kept = result_bigint(round.result[0], 0, 0);
    go_to(pass, DROP_WEEKS);
    if (kept < 0) {
        pass->wants_vacuum = true;
    } else if (kept > KEPT_MAX) {
        pass->kept_weeks++;
    } else {
        pass->weeks++;
    }
    return true;
}

/* ---- beside the weeks ---- */

/* Starts first: with them go the sagas, and what is left of those is garbage in the others. */
static const char *const BESIDE[] = {
    "saga_start_other", "saga_start_early", "saga_start_late", "history_other", "history_early",
    "history_late",     "saga_tag_other",   "saga_tag_early",  "saga_tag_late",
};
enum { STARTS = 3 }; /* of them */

static bool measure_table(struct store *store, const char *table, int64_t *ret_blocks,
                          struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = params_new(&store->scratch);
    params_string(params, table);
    if (!ask(store, &round, &SQL_RETIRE_BLOCKS, params, err)) return false;
    *ret_blocks = result_bigint(round.result[0], 0, 0);
    return true;
}

static void print_place(int64_t block, char *text, size_t size)
{
    (void)snprintf(text, size, "(%lld,0)", (long long)block);
}

static bool delete_blocks(struct store *store, int64_t retention_ms, struct retirement *pass,
                          struct err *err)
{
    const bool starts = pass->table < STARTS;
    char from[32];
    char to[32];
    print_place(pass->block, from, sizeof from);
    print_place(pass->block + PAGE_BLOCKS, to, sizeof to);
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = params_new(&store->scratch);
    params_string(params, BESIDE[pass->table]);
    if (starts) {
        params_int(params, store->namespace_id);
        params_bigint(params, retention_ms);
    }
    params_string(params, from);
    params_string(params, to);
    if (!ask(store, &round, starts ? &SQL_RETIRE_STARTS : &SQL_RETIRE_REST, params, err)) {
        return false;
    }
    if (starts) pass->sagas += (uint64_t)result_bigint(round.result[0], 0, 0);
    return true;
}

/* A page of one table, then the next one, or the next table after the last. */
static bool look_beside(struct store *store, int64_t retention_ms, struct retirement *pass,
                        struct err *err)
{
    if (pass->block == 0 && !measure_table(store, BESIDE[pass->table], &pass->blocks, err)) {
        return false;
    }
    if (pass->blocks > 0 && !delete_blocks(store, retention_ms, pass, err)) return false;
    pass->block += PAGE_BLOCKS;
    if (pass->block < pass->blocks) return true;
    pass->block = 0;
    pass->table++;
    if (pass->table == ARRAY_LEN(BESIDE)) go_to(pass, DELETE_LETTERS);
    return true;
}

static bool delete_letters(struct store *store, int64_t retention_ms, struct retirement *pass,
                           struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, pass->letter);
    params_bigint(params, PAGE_ROWS);
    params_bigint(params, retention_ms);
    if (!ask(store, &round, &SQL_RETIRE_DEAD_LETTERS, params, err)) return false;
    pass->letter = result_bigint(round.result[0], 0, 0);
    pass->letters += (uint64_t)result_bigint(round.result[0], 0, 2);
    if (result_bigint(round.result[0], 0, 1) < PAGE_ROWS) go_to(pass, DELETE_BATCHES);
    return true;
}

static bool delete_batches(struct store *store, int64_t retention_ms, struct retirement *pass,
                           struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, retention_ms);
    params_bigint(params, PAGE_ROWS);
    if (!ask(store, &round, &SQL_RETIRE_BATCHES, params, err)) return false;
    if (!result_bool(round.result[0], 0, 1)) pass->next = RETIRE_DONE;
    return true;
}

static step *const STEPS[PHASE_COUNT] = {
    [DROP_WEEKS] = drop_weeks,         [FIND_WEEK] = find_week,
    [DELETE_SAGAS] = delete_sagas,     [TAKE_WEEK_OUT] = take_week_out,
    [LOOK_BESIDE] = look_beside,       [DELETE_LETTERS] = delete_letters,
    [DELETE_BATCHES] = delete_batches,
};

bool store_retire(struct store *store, int64_t retention_ms, struct retirement *pass,
                  struct err *err)
{
    assert(retention_ms > 0 && pass->phase >= 0 && pass->phase < PHASE_COUNT);
    pass->next = RETIRE_MORE;
    return STEPS[pass->phase](store, retention_ms, pass, err);
}

bool store_vacuum(struct store *store, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    return ask(store, &round, &SQL_VACUUM, NULL, err);
}
