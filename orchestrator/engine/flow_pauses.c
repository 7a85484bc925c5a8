/*
 * orchestrator/engine/flow_pauses.c
 *   Pauses of topics as PostgreSQL has them: every node reads them each second.
 */
#include "orchestrator/base/log.h"
#include "orchestrator/engine/flow.h"
#include "orchestrator/telemetry/metrics.h"

static const struct topic_pause_row *find_pause(const struct topic_pause_row *rows, size_t count,
                                                const struct topic *topic)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal_text(rows[i].name, topic->name)) return &rows[i];
    }
    return NULL;
}

static void take_pause(struct topic *topic, const struct topic_pause_row *row)
{
    static const struct bytes NOTHING = {0};
    const bool news = row == NULL ? topic_set_pause(topic, NOTHING, NOTHING, 0)
                                  : topic_set_pause(topic, row->by, row->reason, row->at_ms);
    if (row != NULL || news) {
        metrics_set(METRIC_TOPIC_PAUSED, row != NULL ? 1 : 0, topic->name, NULL, NULL);
    }
    if (!news) return;
    log_event(LOG_INFO, row != NULL ? "topic_paused" : "topic_resumed", "topic=%s", topic->name);
}

bool flow_read_pauses(struct engine *engine, struct store *store, struct err *err)
{
    struct arena arena = {0};
    struct topic_pause_row *rows = NULL;
    size_t count = 0;
    /* What was read first is also taken first. */
    pthread_mutex_lock(&engine->pauses_lock);
    const bool good = store_topic_pauses(store, &arena, &rows, &count, err);
    for (size_t i = 0; good && i < count; i++) {
        (void)topics_note(engine->topics, rows[i].name);
    }
    for (size_t i = 0; good && i < topics_count(engine->topics); i++) {
        struct topic *topic = topics_at(engine->topics, i);
        take_pause(topic, find_pause(rows, count, topic));
    }
    pthread_mutex_unlock(&engine->pauses_lock);
    arena_done(&arena);
    return good;
}

bool engine_read_pauses(struct engine *engine, struct store *store, struct err *err)
{
    return flow_read_pauses(engine, store, err);
}
