/*
 * orchestrator/store/schedule_rows.c
 *   Schedules: what people said, when they are due, what became of their times.
 *
 * Two rules keep them right whoever races. What moves a schedule on names the turn that it read,
 * and a saga that was started is an event under its own id, which there can be once.
 */
#include "orchestrator/store/schedule_rows.h"
#include "orchestrator/store/store_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400, ZONE_BACK_DAYS = 400, ZONE_YEAR_DAYS = 366 };

static const struct column SCHEDULE_COLUMNS[] = {
    COLUMN(TEXT, schedule_row, name),
    COLUMN(UUID, schedule_row, uid),
    COLUMN(TEXT, schedule_row, definition),
    COLUMN(INT, schedule_row, version),
    COLUMN(TEXT, schedule_row, cron),
    COLUMN(TEXT, schedule_row, time_zone),
    COLUMN(TEXT, schedule_row, input),
    COLUMN(ENUM, schedule_row, catch_up),
    COLUMN(BIGINT, schedule_row, catch_up_window_ms),
    COLUMN(ENUM, schedule_row, overlap),
    COLUMN(BOOL, schedule_row, paused),
    COLUMN(BIGINT, schedule_row, created_at_ms),
    COLUMN(BIGINT, schedule_row, updated_at_ms),
    COLUMN(INT, schedule_row, revision),
    COLUMN(INT, schedule_row, turn),
    COLUMN(BIGINT_OR_NULL, schedule_row, next_at_ms),
    COLUMN(BYTEA, schedule_row, waiting),
    COLUMN(BIGINT_OR_NULL, schedule_row, last_scheduled_at_ms),
    COLUMN(BIGINT_OR_NULL, schedule_row, last_at_ms),
    COLUMN(UUID_OR_NULL, schedule_row, last_saga),
    COLUMN(BIGINT_OR_NULL, schedule_row, error_at_ms),
    COLUMN(TEXT, schedule_row, error_code),
    COLUMN(TEXT, schedule_row, error_detail),
    COLUMN(BIGINT, schedule_row, started),
    COLUMN(BIGINT, schedule_row, missed),
    COLUMN(BIGINT, schedule_row, skipped),
    COLUMN(BIGINT, schedule_row, failed),
    COLUMN(BIGINT, schedule_row, now_ms),
    COLUMN(BOOL, schedule_row, previous_is_open),
};

static struct schedule_row *take_rows(const PGresult *result, struct arena *arena,
                                      size_t *ret_count)
{
    return result_rows(result, COLUMNS(SCHEDULE_COLUMNS, schedule_row), arena, ret_count);
}

/* ---- reading ---- */

bool store_schedule(struct store *store, struct bytes name, struct arena *arena,
                    struct schedule_row *ret_row, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, name);
    round_add(&round, &SQL_SCHEDULE_LOAD, params);
    if (!store_run(store, &round, err)) return false;
    size_t count = 0;
    const struct schedule_row *const rows = take_rows(round.result[0], arena, &count);
    if (count == 0) return err_set(err, ERR_NOT_FOUND, "there is no such schedule");
    *ret_row = rows[0];
    return true;
}

bool store_schedule_list(struct store *store, struct bytes after_name, size_t limit,
                         struct arena *arena, struct schedule_row **ret_rows, size_t *ret_count,
                         struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, after_name.data != NULL ? after_name : BYTES(""));
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_SCHEDULE_LIST, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows = take_rows(round.result[0], arena, ret_count);
    return true;
}

bool store_schedule_events(struct store *store, struct bytes name, int64_t before, size_t limit,
                           struct arena *arena, struct schedule_event_row **ret_rows,
                           size_t *ret_count, struct err *err)
{
    static const struct column EVENT_COLUMNS[] = {
        COLUMN(BIGINT, schedule_event_row, id),
        COLUMN(BIGINT, schedule_event_row, at_ms),
        COLUMN(TEXT, schedule_event_row, kind),
        COLUMN(BIGINT_OR_NULL, schedule_event_row, scheduled_at_ms),
        COLUMN(UUID_OR_NULL, schedule_event_row, saga),
        COLUMN(BIGINT, schedule_event_row, count),
        COLUMN(TEXT, schedule_event_row, actor),
        COLUMN(TEXT, schedule_event_row, reason),
        COLUMN(TEXT, schedule_event_row, detail),
    };
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, name);
    params_bigint(params, before == 0 ? INT64_MAX : before);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_SCHEDULE_EVENT_LIST, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows =
        result_rows(round.result[0], COLUMNS(EVENT_COLUMNS, schedule_event_row), arena, ret_count);
    return true;
}

/* ---- what people do ---- */

static void params_instant(struct params *params, int64_t at_ms)
{
    if (at_ms == 0) {
        params_bytes(params, (struct bytes){0});
    } else {
        params_bigint(params, at_ms);
    }
}

/* The parameters that a new and a changed schedule have in common. */
static struct params *params_of_row(struct store *store, const struct schedule_row *row)
{
    struct params *const params = store_params(store);
    params_bytes(params, row->name);
    params_uuid(params, &row->uid);
    params_bytes(params, row->definition);
    params_int(params, (int32_t)row->version);
    params_bytes(params, row->cron);
    params_bytes(params, row->time_zone);
    params_bytes(params, row->input);
    params_short(params, (int16_t)row->catch_up);
    params_bigint(params, row->catch_up_window_ms);
    params_short(params, (int16_t)row->overlap);
    params_bool(params, row->paused);
    params_instant(params, row->next_at_ms);
    return params;
}

static struct params *params_of_key(struct store *store, const struct schedule_row *row)
{
    struct params *const params = store_params(store);
    params_bytes(params, row->name);
    params_uuid(params, &row->uid);
    return params;
}

static void add_verb(struct store *store, struct round *round, const struct schedule_write *write)
{
    struct params *params = NULL;
    switch (write->verb) {
    case SCHEDULE_CREATE:
        round_add(round, &SQL_SCHEDULE_INSERT, params_of_row(store, &write->row));
        return;
    case SCHEDULE_CHANGE:
        params = params_of_row(store, &write->row);
        params_int(params, (int32_t)write->row.revision);
        params_bool(params, write->sets_next);
        params_bigint(params, write->missed);
        round_add(round, &SQL_SCHEDULE_UPDATE, params);
        return;
    case SCHEDULE_DELETE:
        params = params_of_key(store, &write->row);
        params_int(params, (int32_t)write->row.revision);
        round_add(round, &SQL_SCHEDULE_DELETE, params);
        return;
    case SCHEDULE_TRIGGER:
        params = params_of_key(store, &write->row);
        params_int(params, (int32_t)write->row.turn);
        params_bigint(params, write->at_ms);
        round_add(round, &SQL_SCHEDULE_TRIGGER, params);
        return;
    }
    abort();
}

static void add_event(struct store *store, struct round *round, const struct schedule_write *write)
{
    struct params *const params = store_params(store);
    params_bytes(params, write->row.name);
    params_string(params, write->kind);
    params_instant(params, write->at_ms);
    params_bigint(params, 1);
    params_bytes(params, write->actor);
    params_bytes(params, write->reason);
    params_bytes(params, write->detail);
    round_add(round, &SQL_SCHEDULE_EVENT_INSERT, params);
}

bool store_schedule_write(struct store *store, const struct schedule_write *write, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_BEGIN, NULL);
    add_verb(store, &round, write);
    add_event(store, &round, write);
    if (write->key != NULL) store_add_keys(store, &round, write->key, 1);
    round_add(&round, &SQL_COMMIT, NULL);
    return store_run_once(store, &round, err);
}

/* ---- firing ---- */

bool store_schedules_due(struct store *store, size_t limit, int64_t lease_ms, struct arena *arena,
                         struct schedule_row **ret_rows, size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, (int64_t)limit);
    params_bigint(params, lease_ms);
    round_add(&round, &SQL_SCHEDULE_DUE, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows = take_rows(round.result[0], arena, ret_count);
    return true;
}

static const struct column NAME_COLUMNS[] = {
    COLUMN(TEXT, schedule_record, name),
};

static const struct column RECORD_COLUMNS[] = {
    COLUMN(TEXT, schedule_record, name),
    COLUMN(UUID, schedule_record, uid),
    COLUMN(INT, schedule_record, turn),
    COLUMN(BIGINT_OR_NULL, schedule_record, next_at_ms),
    COLUMN(BYTEA, schedule_record, waiting),
    COLUMN(BIGINT_OR_NULL, schedule_record, wake_at_ms),
    COLUMN(BIGINT_OR_NULL, schedule_record, scheduled_at_ms),
    COLUMN(UUID_OR_NULL, schedule_record, saga),
    COLUMN(TEXT, schedule_record, error_code),
    COLUMN(TEXT, schedule_record, error_detail),
    COLUMN(INT, schedule_record, missed),
    COLUMN(BIGINT_OR_NULL, schedule_record, missed_until_ms),
    COLUMN(INT, schedule_record, skipped),
    COLUMN(BIGINT_OR_NULL, schedule_record, skipped_until_ms),
    COLUMN(BOOL, schedule_record, settled),
};

bool store_schedules_record(struct store *store, const struct schedule_record *records,
                            size_t count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const lock = store_params(store);
    params_array(lock, COLUMNS(NAME_COLUMNS, schedule_record), records, count);
    struct params *const record = store_params(store);
    params_array(record, COLUMNS(RECORD_COLUMNS, schedule_record), records, count);
    round_add(&round, &SQL_BEGIN, NULL);
    round_add(&round, &SQL_SCHEDULE_LOCK, lock);
    round_add(&round, &SQL_SCHEDULE_RECORD, record);
    round_add(&round, &SQL_COMMIT, NULL);
    return store_run(store, &round, err);
}

/* ---- time zones ---- */

bool store_zone_exists(struct store *store, struct bytes name, bool *ret_exists, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = params_new(&store->scratch);
    params_bytes(params, name);
    round_add(&round, &SQL_ZONE_EXISTS, params);
    if (!store_run(store, &round, err)) return false;
    *ret_exists = result_bool(round.result[0], 0, 0);
    return true;
}

static void take_zone(const PGresult *result, struct arena *arena, struct zone *ret_zone)
{
    static const struct column CHANGE_COLUMNS[] = {
        COLUMN(BIGINT, zone_change, at_s),
        COLUMN(INT, zone_change, offset_s),
    };
    size_t count = 0;
    const struct zone_change *const changes =
        result_rows(result, COLUMNS(CHANGE_COLUMNS, zone_change), arena, &count);
    assert(count > 0); /* the first row is the beginning */
    *ret_zone = (struct zone){changes[0].offset_s, changes + 1, count - 1};
}

bool store_zone(struct store *store, struct bytes name, int64_t now_ms, struct arena *arena,
                struct zone *ret_zone, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    const int64_t now_s = now_ms / 1000;
    struct params *const params = params_new(&store->scratch);
    params_bytes(params, name);
    params_bigint(params, now_s - (int64_t)ZONE_BACK_DAYS * DAY_S);
    params_bigint(params, now_s + (int64_t)(CRON_YEARS + 1) * ZONE_YEAR_DAYS * DAY_S);
    round_add(&round, &SQL_ZONE_CHANGES, params);
    struct err failure;
    if (store_run(store, &round, &failure)) {
        take_zone(round.result[0], arena, ret_zone);
        return true;
    }
    if (strcmp(round.sqlstate, "22023") == 0) { /* invalid_parameter_value */
        return err_set(err, ERR_INVALID, "PostgreSQL knows no time zone of this name");
    }
    *err = failure;
    return false;
}
