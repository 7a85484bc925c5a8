/*
 * orchestrator/store/event_rows.c
 *   See event_rows.h. The rows of a batch's history lie one behind the other:
 *
 *     id 16 | definition | state | seq | count | revision | at | size of the entries | entries
 *
 * Numbers are varints: seven bits a byte, the lowest first, the top bit says that more follow.
 */
#include "orchestrator/store/event_rows.h"
#include "orchestrator/store/batch.h"

#include <assert.h>
#include <string.h>

enum {
    PART_SIZE = 32 * 1024, /* the next row begins behind it */
    NUMBER_SIZE_MAX = 10,
};

static const struct column PART_COLUMNS[] = {
    {COLUMN_BYTEA, 0}
};

static const struct column BATCH_COLUMNS[] = {
    COLUMN(BIGINT, event_batch, place),
    COLUMN(BYTEA, event_batch, events),
};

static const struct column ID_COLUMNS[] = {
    {COLUMN_UUID, 0}
};

/* ---- writing: beside the history, in the same transaction ---- */

static void put_number(struct buffer *buffer, uint64_t value)
{
    char bytes[NUMBER_SIZE_MAX];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[size++] = (char)(value | 0x80);
    }
    bytes[size++] = (char)value;
    buffer_add(buffer, bytes, size);
}

static void put_event(struct buffer *buffer, const struct history_write *history)
{
    buffer_add(buffer, (const char *)history->id.byte, sizeof(history->id.byte));
    put_number(buffer, (uint64_t)history->definition_id);
    put_number(buffer, (uint64_t)history->state);
    put_number(buffer, history->seq);
    put_number(buffer, history->count);
    put_number(buffer, history->revision);
    put_number(buffer, (uint64_t)history->at_ms);
    put_number(buffer, history->entries.size);
    buffer_add_bytes(buffer, history->entries);
}

/* In the order of the decisions, which is that of each saga. */
void batch_add_events(struct store *store, struct round *round, const struct store_batch *batch)
{
    struct bytes *const parts = arena_array(&store->scratch, batch->history_count, sizeof(*parts));
    struct buffer part = buffer_in(&store->scratch);
    size_t count = 0;
    for (size_t i = 0; i < batch->history_count; i++) {
        put_event(&part, &batch->histories[i]);
        if (part.size < PART_SIZE && i + 1 < batch->history_count) continue;
        parts[count++] = buffer_bytes(&part);
        part = buffer_in(&store->scratch);
    }
    struct params *const params = store_params(store);
    params_array(params, (struct columns){PART_COLUMNS, 1, sizeof(struct bytes)}, parts, count);
    round_add(round, &SQL_EVENT_BATCH_INSERT, params);
}

/* ---- reading ---- */

struct reader {
    const uint8_t *at, *end;
    bool damaged;
};

static uint64_t get_number(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        const uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
    }
    reader->damaged = true;
    return 0;
}

static struct bytes get_bytes(struct reader *reader, uint64_t size)
{
    if (size > (uint64_t)(reader->end - reader->at)) {
        reader->damaged = true;
        return (struct bytes){0};
    }
    const struct bytes bytes = {(const char *)reader->at, (size_t)size};
    reader->at += size;
    return bytes;
}

static void get_event(struct reader *reader, struct event_row *ret_row)
{
    const struct bytes id = get_bytes(reader, sizeof(ret_row->saga_id.byte));
    *ret_row = (struct event_row){0};
    if (id.data != NULL) memcpy(ret_row->saga_id.byte, id.data, id.size);
    ret_row->definition_id = (int64_t)get_number(reader);
    ret_row->state = (enum saga_state)get_number(reader);
    ret_row->history.seq = (uint32_t)get_number(reader);
    ret_row->history.count = (uint32_t)get_number(reader);
    ret_row->history.revision = (uint32_t)get_number(reader);
    ret_row->history.at_ms = (int64_t)get_number(reader);
    ret_row->history.entries = get_bytes(reader, get_number(reader));
    if (ret_row->state >= SAGA_STATE_COUNT) reader->damaged = true;
}

bool event_batch_read(const struct event_batch *batch, struct arena *arena,
                      struct event_row **ret_rows, size_t *ret_count, struct err *err)
{
    const uint8_t *const at = (const uint8_t *)batch->events.data;
    assert(at != NULL);
    struct reader reader = {at, at + batch->events.size, false};
    struct event_row *rows = NULL;
    size_t room = 0;
    size_t count = 0;
    while (reader.at < reader.end && !reader.damaged) {
        if (count == room) {
            struct event_row *const more = arena_array(arena, room * 2 + 64, sizeof(*more));
            if (count > 0) memcpy(more, rows, count * sizeof(*rows));
            rows = more;
            room = room * 2 + 64;
        }
        get_event(&reader, &rows[count++]);
    }
    *ret_rows = rows;
    *ret_count = count;
    if (!reader.damaged) return true;
    return err_set(err, ERR_INTERNAL, "events at place %lld are damaged", (long long)batch->place);
}

bool store_events(struct store *store, int64_t first, size_t limit, struct arena *arena,
                  struct event_batch **ret_batches, size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, first);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_EVENT_LIST, params);
    if (!store_run(store, &round, err)) return false;
    *ret_batches =
        result_rows(round.result[0], COLUMNS(BATCH_COLUMNS, event_batch), arena, ret_count);
    return true;
}

bool store_events_position(struct store *store, struct event_position *ret_position,
                           struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_EVENT_POSITION, store_params(store));
    if (!store_run(store, &round, err)) return false;
    *ret_position = (struct event_position){
        .place = result_bigint(round.result[0], 0, 0),
        .published = result_bigint(round.result[0], 0, 1),
        .first = result_bigint(round.result[0], 0, 2),
    };
    return true;
}

bool store_events_tagged(struct store *store, const struct saga_filter *filter,
                         const struct uuid *ids, size_t count, struct arena *arena,
                         struct uuid **ret_ids, size_t *ret_count, struct err *err)
{
    const struct columns columns = {ID_COLUMNS, 1, sizeof(struct uuid)};
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_array(params, columns, ids, count);
    filter_add_tags(store, params, filter);
    round_add(&round, &SQL_EVENT_TAGGED, params);
    if (!store_run(store, &round, err)) return false;
    *ret_ids = result_rows(round.result[0], columns, arena, ret_count);
    return true;
}

/* ---- places ---- */

bool store_events_lead(struct store *store, bool *ret_leads, struct err *err)
{
    *ret_leads = false;
    if (!store_connect(store, err)) return false;
    if (store->leads_on != store->session.opened) {
        CLEANUP(round) struct round round;
        store_round_begin(store, &round);
        round_add(&round, &SQL_EVENT_LEAD, store_params(store));
        if (!store_run_once(store, &round, err)) return false;
        if (!result_bool(round.result[0], 0, 0)) return true;
        store->leads_on = store->session.opened;
    }
    *ret_leads = true;
    return true;
}

static bool run_for_number(struct store *store, const struct sql *sql, struct params *params,
                           int64_t *ret_number, struct err *err)
{
    CLEANUP(round) struct round round;
    round_begin(&round, &store->session);
    round_add(&round, sql, params);
    if (!store_run(store, &round, err)) return false;
    *ret_number = result_bigint(round.result[0], 0, 0);
    return true;
}

bool store_events_place(struct store *store, size_t limit, int64_t *ret_place, struct err *err)
{
    arena_reset(&store->scratch);
    struct params *const params = store_params(store);
    params_bigint(params, (int64_t)limit);
    return run_for_number(store, &SQL_EVENT_PLACE, params, ret_place, err);
}

bool store_events_forget(struct store *store, int64_t place, int64_t age_ms, int64_t age_behind_ms,
                         size_t limit, size_t *ret_count, struct err *err)
{
    int64_t count = 0;
    arena_reset(&store->scratch);
    struct params *const params = store_params(store);
    params_bigint(params, place);
    params_bigint(params, age_ms);
    params_bigint(params, age_behind_ms);
    params_bigint(params, (int64_t)limit);
    if (!run_for_number(store, &SQL_EVENT_FORGET, params, &count, err)) return false;
    *ret_count = (size_t)count;
    return true;
}

bool store_events_published(struct store *store, int64_t place, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, place);
    round_add(&round, &SQL_EVENT_PUBLISHED, params);
    return store_run(store, &round, err);
}
