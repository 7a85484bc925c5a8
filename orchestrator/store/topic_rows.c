/*
 * orchestrator/store/topic_rows.c
 *   Topics that people paused, and who did what.
 */
#include "orchestrator/store/topic_rows.h"

#include "orchestrator/store/store_private.h"

enum { ACTS_OF_NAME = 100, ACTS_OF_NAMESPACE = 10000 };

bool store_topic_pauses(struct store *store, struct arena *arena, struct topic_pause_row **ret_rows,
                        size_t *ret_count, struct err *err)
{
    static const struct column PAUSE_COLUMNS[] = {
        COLUMN(TEXT, topic_pause_row, name),
        COLUMN(BIGINT, topic_pause_row, at_ms),
        COLUMN(TEXT, topic_pause_row, by),
        COLUMN(TEXT, topic_pause_row, reason),
    };
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_TOPIC_PAUSE_LIST, store_params(store));
    if (!store_run(store, &round, err)) return false;
    *ret_rows =
        result_rows(round.result[0], COLUMNS(PAUSE_COLUMNS, topic_pause_row), arena, ret_count);
    return true;
}

bool store_topic_set(struct store *store, enum topic_verb verb, struct bytes name,
                     struct bytes actor, struct bytes reason, bool *ret_changed, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, name);
    params_bytes(params, actor);
    params_bytes(params, reason);
    if (verb == TOPIC_PAUSE) params_bigint(params, TOPIC_PAUSES_MAX);
    struct params *const forget = store_params(store);
    params_bytes(forget, name);
    params_bigint(forget, ACTS_OF_NAME);
    params_bigint(forget, ACTS_OF_NAMESPACE);
    round_add(&round, verb == TOPIC_PAUSE ? &SQL_TOPIC_PAUSE : &SQL_TOPIC_RESUME, params);
    round_add(&round, &SQL_TOPIC_ACTS_FORGET, forget);
    if (!store_run(store, &round, err)) return false;
    *ret_changed = PQntuples(round.result[0]) > 0;
    return true;
}

bool store_topic_acts(struct store *store, struct bytes name, size_t limit, struct arena *arena,
                      struct topic_act_row **ret_rows, size_t *ret_count, struct err *err)
{
    static const struct column ACT_COLUMNS[] = {
        COLUMN(BIGINT, topic_act_row, at_ms),
        COLUMN(TEXT, topic_act_row, verb),
        COLUMN(TEXT, topic_act_row, actor),
        COLUMN(TEXT, topic_act_row, reason),
    };
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, name);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_TOPIC_ACTS, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows = result_rows(round.result[0], COLUMNS(ACT_COLUMNS, topic_act_row), arena, ret_count);
    return true;
}
