/*
 * orchestrator/store/batch.c
 *   The statements of one batch, from tables of columns.
 *
 * Only statements that have rows are sent. The same rows always go in the same order, so that two
 * batches wait for each other instead of deadlocking.
 */
#include "orchestrator/store/batch.h"

#include <stdlib.h>
#include <string.h>

static const struct column INSERT_COLUMNS[] = {
    COLUMN(UUID, saga_write, id),
    COLUMN(BIGINT, saga_write, definition_id),
    COLUMN(BIGINT, saga_write, created_at_ms),
    COLUMN(INT, saga_write, revision),
    COLUMN(INT, saga_write, attention),
    COLUMN(ENUM, saga_write, state),
    COLUMN(BOOL, saga_write, paused),
    COLUMN(BIGINT_OR_NULL, saga_write, due_at_ms),
    COLUMN(BIGINT_OR_NULL, saga_write, finished_at_ms),
    COLUMN(BYTEA, saga_write, packed),
};

static const struct column START_COLUMNS[] = {
    COLUMN(UUID, saga_write, id),
    COLUMN(BIGINT, saga_write, definition_id),
    COLUMN(BIGINT_OR_NULL, saga_write, start_at_ms),
    COLUMN(TEXT, saga_write, input),
    COLUMN(TEXT, saga_write, labels),
    COLUMN(TEXT, saga_write, attributes),
    COLUMN(TEXT, saga_write, trace),
    COLUMN(TEXT, saga_write, trace_state),
};

/* The entries of a saga's first event, beside its start; count 0: they are in the history. */
struct first {
    uint32_t count;
    struct bytes entries;
};

static const struct column FIRST_COLUMNS[] = {
    COLUMN(INT, first, count),
    COLUMN(BYTEA, first, entries),
};

static const struct column UPDATE_COLUMNS[] = {
    COLUMN(UUID, saga_write, id),
    COLUMN(INT, saga_write, revision_before),
    COLUMN(INT, saga_write, revision),
    COLUMN(INT, saga_write, attention),
    COLUMN(ENUM, saga_write, state),
    COLUMN(BOOL, saga_write, paused),
    COLUMN(BIGINT_OR_NULL, saga_write, due_at_ms),
    COLUMN(BIGINT_OR_NULL, saga_write, finished_at_ms),
    COLUMN(BYTEA, saga_write, packed),
};

static const struct column HISTORY_COLUMNS[] = {
    COLUMN(UUID, history_write, id),      COLUMN(INT, history_write, seq),
    COLUMN(INT, history_write, count),    COLUMN(INT, history_write, revision),
    COLUMN(BIGINT, history_write, at_ms), COLUMN(BYTEA, history_write, entries),
    COLUMN(TEXT, history_write, payload), COLUMN(TEXT, history_write, output),
};

static const struct column KEY_COLUMNS[] = {
    COLUMN(TEXT, request_key_write, key),
    COLUMN(HASH, request_key_write, fingerprint),
    COLUMN(UUID_OR_NULL, request_key_write, saga_id),
    COLUMN(SHORT, request_key_write, status),
    COLUMN(TEXT, request_key_write, answer),
};

static const struct column PROCESSED_COLUMNS[] = {
    COLUMN(TEXT, processed_write, topic),          COLUMN(INT, processed_write, partition),
    COLUMN(BIGINT, processed_write, first_offset), COLUMN(BIGINT, processed_write, last_offset),
    COLUMN(BIGINT, processed_write, first_at_ms),  COLUMN(BIGINT, processed_write, last_at_ms),
};

static const struct column DEAD_LETTER_COLUMNS[] = {
    COLUMN(BIGINT, dead_letter_write, at_ms),  COLUMN(TEXT, dead_letter_write, topic),
    COLUMN(INT, dead_letter_write, partition), COLUMN(BIGINT, dead_letter_write, offset),
    COLUMN(STRING, dead_letter_write, reason), COLUMN(BYTEA, dead_letter_write, key),
    COLUMN(TEXT, dead_letter_write, headers),  COLUMN(BYTEA, dead_letter_write, value),
};

enum { TAG_HEAD_MAX = 200 };

struct tag_row {
    struct uuid saga_id;
    char kind;
    struct bytes name, value, value_rest;
};

static const struct column TAG_COLUMNS[] = {
    COLUMN(UUID, tag_row, saga_id), COLUMN(CHAR, tag_row, kind),       COLUMN(TEXT, tag_row, name),
    COLUMN(TEXT, tag_row, value),   COLUMN(TEXT, tag_row, value_rest),
};

void tag_split(struct bytes value, struct bytes *ret_head, struct bytes *ret_rest)
{
    *ret_head = value;
    *ret_rest = (struct bytes){0};
    if (value.size <= TAG_HEAD_MAX) return;
    size_t cut = TAG_HEAD_MAX;
    while (cut > 0 && ((uint8_t)value.data[cut] & 0xC0) == 0x80) { /* inside a UTF-8 character */
        cut--;
    }
    ret_head->size = cut;
    *ret_rest = (struct bytes){value.data + cut, value.size - cut};
}

typedef int compare(const void *a, const void *b);

static int compare_sagas(const void *a, const void *b)
{
    const struct saga_write *const *const first = a;
    const struct saga_write *const *const second = b;
    return memcmp(&(*first)->id, &(*second)->id, sizeof(struct uuid));
}

static int compare_histories(const void *a, const void *b)
{
    const struct history_write *const *const first = a;
    const struct history_write *const *const second = b;
    const int order = memcmp(&(*first)->id, &(*second)->id, sizeof(struct uuid));
    if (order != 0) return order;
    return ((*first)->seq > (*second)->seq) - ((*first)->seq < (*second)->seq);
}

static int compare_keys(const void *a, const void *b)
{
    const struct request_key_write *const *const first = a;
    const struct request_key_write *const *const second = b;
    return bytes_compare((*first)->key, (*second)->key);
}

static int compare_processed(const void *a, const void *b)
{
    const struct processed_write *const *const first = a;
    const struct processed_write *const *const second = b;
    const int order = bytes_compare((*first)->topic, (*second)->topic);
    if (order != 0) return order;
    return ((*first)->partition > (*second)->partition) -
           ((*first)->partition < (*second)->partition);
}

/* Pointers to `count` structs that lie side by side, in order. */
static const void **sorted(struct store *store, const void *rows, size_t count, size_t stride,
                           compare *in_order)
{
    const void **const pointers = arena_array(&store->scratch, count + 1, sizeof(*pointers));
    for (size_t i = 0; i < count; i++) {
        pointers[i] = (const char *)rows + i * stride;
    }
    if (count > 1) qsort(pointers, count, sizeof(*pointers), in_order);
    return pointers;
}

/* Where the id is a UUIDv7 of that time, lists by time can begin at an id. */
static bool is_odd_id(const struct saga_write *saga)
{
    if (saga->id.byte[6] >> 4 != 7) return true;
    const int64_t apart_ms = uuid_unix_ms(&saga->id) - saga->created_at_ms;
    return apart_ms > ID_SLACK_MS || apart_ms < -ID_SLACK_MS;
}

static void add_odd_ids(struct store *store, struct params *params, const void *const *sagas,
                        size_t count)
{
    static const struct column ODD_COLUMNS[] = {
        {COLUMN_BOOL, 0}
    };
    bool *const odd = arena_array(&store->scratch, count, sizeof(*odd));
    for (size_t i = 0; i < count; i++) {
        odd[i] = is_odd_id(sagas[i]);
    }
    params_array(params, (struct columns){ODD_COLUMNS, 1, sizeof(*odd)}, odd, count);
}

/* Rows of one table in the order in which they are sent. */
struct rows {
    const void **row;
    size_t count;
};

static struct rows sorted_histories(struct store *store, const struct store_batch *batch)
{
    return (struct rows){
        .row = sorted(store, batch->histories, batch->history_count, sizeof(struct history_write),
                      compare_histories),
        .count = batch->history_count,
    };
}

/* Whether the saga's other rows tell everything of it but its entries. */
static bool is_first_of(const struct saga_write *saga, const struct history_write *history)
{
    return uuid_equal(&history->id, &saga->id) && history->seq == 1 && history->revision == 1 &&
           history->at_ms == saga->created_at_ms && history->payload.data == NULL &&
           history->output.data == NULL;
}

static bool is_before(const struct saga_write *saga, const struct history_write *history)
{
    return memcmp(&saga->id, &history->id, sizeof(struct uuid)) < 0;
}

/* Move what can lie beside the starts of `sagas` out of the history; both are in order of ids. */
static const struct first *take_firsts(struct store *store, const void *const *sagas, size_t count,
                                       struct rows *histories)
{
    struct first *const firsts = arena_array(&store->scratch, count, sizeof(*firsts));
    size_t at = 0;
    size_t kept = 0;
    for (size_t i = 0; i < histories->count; i++) {
        const struct history_write *const history = histories->row[i];
        while (at < count && is_before(sagas[at], history)) {
            at++;
        }
        if (at < count && is_first_of(sagas[at], history)) {
            firsts[at] = (struct first){history->count, history->entries};
        } else {
            histories->row[kept++] = history;
        }
    }
    histories->count = kept;
    return firsts;
}

static void add_fresh(struct store *store, struct round *round, int64_t near_until_ms,
                      const void *const *sagas, size_t count, struct rows *histories)
{
    struct params *const inserts = store_params(store);
    params_int(inserts, store->node);
    params_columns(inserts, COLUMNS(INSERT_COLUMNS, saga_write), sagas, count);
    add_odd_ids(store, inserts, sagas, count);
    params_bigint(inserts, near_until_ms);
    round_add(round, &SQL_SAGA_INSERT, inserts);

    struct params *const starts = store_params(store);
    params_columns(starts, COLUMNS(START_COLUMNS, saga_write), sagas, count);
    params_array(starts, COLUMNS(FIRST_COLUMNS, first), take_firsts(store, sagas, count, histories),
                 count);
    round_add(round, &SQL_SAGA_START_INSERT, starts);
}

static void add_tags(struct store *store, struct round *round, const void *const *sagas,
                     size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += ((const struct saga_write *)sagas[i])->tag_count;
    }
    if (total == 0) return;

    struct tag_row *const rows = arena_array(&store->scratch, total, sizeof(*rows));
    struct tag_row *row = rows;
    for (size_t i = 0; i < count; i++) {
        const struct saga_write *const saga = sagas[i];
        for (size_t j = 0; j < saga->tag_count; j++, row++) {
            const struct tag_write *const tag = &saga->tags[j];
            *row = (struct tag_row){.saga_id = saga->id, .kind = tag->kind, .name = tag->name};
            tag_split(tag->value, &row->value, &row->value_rest);
        }
    }
    struct params *const params = store_params(store);
    params_array(params, COLUMNS(TAG_COLUMNS, tag_row), rows, total);
    round_add(round, &SQL_SAGA_TAG_INSERT, params);
}

static const struct column MIGRATE_COLUMNS[] = {
    COLUMN(UUID, saga_write, id),
    COLUMN(BIGINT, saga_write, definition_before),
    COLUMN(BIGINT, saga_write, definition_id),
};

/* Those of them that got another version of their definition. */
static void add_migrations(struct store *store, struct round *round, const void *const *sagas,
                           size_t count)
{
    size_t migrated_count = 0;
    const void **migrated = NULL;
    for (size_t i = 0; i < count; i++) {
        if (((const struct saga_write *)sagas[i])->definition_before == 0) continue;
        if (migrated == NULL) migrated = arena_array(&store->scratch, count, sizeof(*migrated));
        migrated[migrated_count++] = sagas[i];
    }
    if (migrated_count == 0) return;
    struct params *const params = store_params(store);
    params_columns(params, COLUMNS(MIGRATE_COLUMNS, saga_write), migrated, migrated_count);
    round_add(round, &SQL_SAGA_MIGRATE, params);
}

/* What lies beside the starts is taken out of `histories`. */
static void add_sagas(struct store *store, struct round *round, const struct store_batch *batch,
                      struct rows *histories)
{
    const void **const sagas =
        sorted(store, batch->sagas, batch->saga_count, sizeof(struct saga_write), compare_sagas);
    const void **const fresh = arena_array(&store->scratch, batch->saga_count + 1, sizeof(*fresh));
    const void **const known = arena_array(&store->scratch, batch->saga_count + 1, sizeof(*known));
    size_t fresh_count = 0;
    size_t known_count = 0;
    for (size_t i = 0; i < batch->saga_count; i++) {
        const struct saga_write *const saga = sagas[i];
        if (saga->fresh) {
            fresh[fresh_count++] = saga;
        } else {
            known[known_count++] = saga;
        }
    }
    if (fresh_count > 0) {
        add_fresh(store, round, batch->near_until_ms, fresh, fresh_count, histories);
    }
    add_tags(store, round, fresh, fresh_count);
    if (known_count == 0) return;
    struct params *const params = store_params(store);
    params_int(params, store->node);
    params_columns(params, COLUMNS(UPDATE_COLUMNS, saga_write), known, known_count);
    params_bigint(params, batch->near_until_ms);
    round_add(round, &SQL_SAGA_UPDATE, params);
    add_migrations(store, round, known, known_count);
}

static void add_histories(struct store *store, struct round *round, const struct rows *histories)
{
    if (histories->count == 0) return;
    struct params *const params = store_params(store);
    params_columns(params, COLUMNS(HISTORY_COLUMNS, history_write), histories->row,
                   histories->count);
    round_add(round, &SQL_HISTORY_INSERT, params);
}

void store_add_keys(struct store *store, struct round *round, const struct request_key_write *given,
                    size_t count)
{
    if (count == 0) return;
    struct request_key_write *const keys = arena_array(&store->scratch, count, sizeof(*keys));
    for (size_t i = 0; i < count; i++) {
        keys[i] = given[i];
        if (!keys[i].has_saga) keys[i].saga_id = (struct uuid){0};
    }
    struct params *const params = store_params(store);
    params_columns(params, COLUMNS(KEY_COLUMNS, request_key_write),
                   sorted(store, keys, count, sizeof(*keys), compare_keys), count);
    round_add(round, &SQL_REQUEST_KEY_INSERT, params);
}

static void add_processed(struct store *store, struct round *round, const struct store_batch *batch)
{
    if (batch->processed_count == 0) return;
    struct params *const params = store_params(store);
    params_bigint(params, store->writer);
    params_columns(params, COLUMNS(PROCESSED_COLUMNS, processed_write),
                   sorted(store, batch->processed, batch->processed_count,
                          sizeof(struct processed_write), compare_processed),
                   batch->processed_count);
    round_add(round, &SQL_PROCESSED_MESSAGE_PUT, params);
}

static void add_dead_letters(struct store *store, struct round *round,
                             const struct store_batch *batch)
{
    if (batch->dead_letter_count == 0) return;
    struct params *const params = store_params(store);
    params_array(params, COLUMNS(DEAD_LETTER_COLUMNS, dead_letter_write), batch->dead_letters,
                 batch->dead_letter_count);
    round_add(round, &SQL_DEAD_LETTER_INSERT, params);
}

void batch_make(struct store *store, const struct store_batch *batch, struct round *round)
{
    store_round_begin(store, round);
    round_add(round, &SQL_BEGIN, NULL);
    round_add(round, &SQL_WRITER_BATCH, NULL); /* BATCH_NUMBER */
    struct rows histories = sorted_histories(store, batch);
    add_sagas(store, round, batch, &histories);
    add_histories(store, round, &histories);
    store_add_keys(store, round, batch->keys, batch->key_count);
    add_dead_letters(store, round, batch);
    add_processed(store, round, batch);
    if (batch->failure_count > 0) batch_add_failures(store, round, batch);
    if (batch->effect_count > 0) batch_add_effects(store, round, batch);
    if (batch->lock_count > 0) batch_add_locks(store, round, batch);
    if (batch->keeps_events && batch->history_count > 0) batch_add_events(store, round, batch);
    round_add(round, &SQL_COMMIT, NULL);
}
