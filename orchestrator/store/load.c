/*
 * orchestrator/store/load.c
 *   Sagas and request keys by their ids, many in one round trip.
 *
 * The payload rows are read after the saga rows, so they hold at least what the saga speaks of.
 */
#include "orchestrator/store/store_private.h"

struct placed_saga {
    int32_t position; /* from 1, in the ids that were asked for */
    struct saga_row row;
};

static const struct column SAGA_COLUMNS[] = {
    COLUMN(INT, placed_saga, position),
    COLUMN(UUID, placed_saga, row.id),
    COLUMN(BIGINT, placed_saga, row.definition_id),
    COLUMN(ENUM, placed_saga, row.state),
    COLUMN(INT, placed_saga, row.attention),
    COLUMN(INT, placed_saga, row.revision),
    COLUMN(BYTEA, placed_saga, row.packed),
    COLUMN(BIGINT_OR_NULL, placed_saga, row.due_at_ms),
    COLUMN(BIGINT, placed_saga, row.created_at_ms),
    COLUMN(BIGINT_OR_NULL, placed_saga, row.start_at_ms),
    COLUMN(BIGINT_OR_NULL, placed_saga, row.finished_at_ms),
    COLUMN(TEXT, placed_saga, row.labels),
    COLUMN(TEXT, placed_saga, row.attributes),
    COLUMN(TEXT, placed_saga, row.trace),
    COLUMN(TEXT, placed_saga, row.trace_state),
    COLUMN(TEXT, placed_saga, row.input),
};

struct placed_payload {
    int32_t position;
    struct payload_row row;
};

static const struct column PAYLOAD_COLUMNS[] = {
    COLUMN(INT, placed_payload, position),
    COLUMN(INT, placed_payload, row.seq),
    COLUMN(TEXT, placed_payload, row.payload),
    COLUMN(TEXT, placed_payload, row.output),
};

struct placed_key {
    int32_t position;
    struct request_key_row row;
};

static const struct column KEY_COLUMNS[] = {
    COLUMN(INT, placed_key, position),      COLUMN(HASH, placed_key, row.fingerprint),
    COLUMN(BOOL, placed_key, row.has_saga), COLUMN(UUID, placed_key, row.saga_id),
    COLUMN(SHORT, placed_key, row.status),  COLUMN(TEXT, placed_key, row.answer),
};

static const struct column ID_COLUMNS[] = {
    {COLUMN_UUID, 0}
};
static const struct column TEXT_COLUMNS[] = {
    {COLUMN_TEXT, 0}
};

static void take_sagas(const PGresult *result, struct arena *arena, struct saga_row *rows)
{
    for (int i = 0; i < PQntuples(result); i++) {
        struct placed_saga placed = {0};
        result_row(result, i, COLUMNS(SAGA_COLUMNS, placed_saga), arena, &placed);
        placed.row.found = true;
        rows[placed.position - 1] = placed.row;
    }
}

/* Rows of one saga follow each other. */
static void take_payloads(const PGresult *result, struct arena *arena, struct saga_row *rows)
{
    const size_t count = (size_t)PQntuples(result);
    struct payload_row *const payloads = arena_array(arena, count + 1, sizeof(*payloads));
    for (size_t i = 0; i < count; i++) {
        struct placed_payload placed = {0};
        result_row(result, (int)i, COLUMNS(PAYLOAD_COLUMNS, placed_payload), arena, &placed);
        payloads[i] = placed.row;
        struct saga_row *const saga = &rows[placed.position - 1];
        if (saga->payload_count == 0) saga->payloads = &payloads[i];
        saga->payload_count++;
    }
}

bool store_load(struct store *store, const struct uuid *ids, size_t count, struct arena *arena,
                struct saga_row *ret_rows, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_array(params, COLUMNS(ID_COLUMNS, uuid), ids, count);
    round_add(&round, &SQL_SAGA_LOAD, params);
    round_add(&round, &SQL_PAYLOAD_LOAD, params);
    if (!store_run(store, &round, err)) return false;

    for (size_t i = 0; i < count; i++) {
        ret_rows[i] = (struct saga_row){.id = ids[i]};
    }
    take_sagas(round.result[0], arena, ret_rows);
    take_payloads(round.result[1], arena, ret_rows);
    return true;
}

bool store_load_keys(struct store *store, const struct bytes *keys, size_t count,
                     struct arena *arena, struct request_key_row *ret_rows, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_array(params, COLUMNS(TEXT_COLUMNS, bytes), keys, count);
    round_add(&round, &SQL_REQUEST_KEY_LOAD, params);
    if (!store_run(store, &round, err)) return false;

    for (size_t i = 0; i < count; i++) {
        ret_rows[i] = (struct request_key_row){0};
    }
    for (int i = 0; i < PQntuples(round.result[0]); i++) {
        struct placed_key placed = {0};
        result_row(round.result[0], i, COLUMNS(KEY_COLUMNS, placed_key), arena, &placed);
        placed.row.found = true;
        ret_rows[placed.position - 1] = placed.row;
    }
    return true;
}
