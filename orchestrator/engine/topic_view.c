#include "orchestrator/engine/topic_view.h"

#include "orchestrator/engine/internal.h"

#include <stdlib.h>
#include <string.h>

static struct bytes copy_text(struct arena *arena, const char *text)
{
    return text == NULL ? (struct bytes){0} : bytes_copy(arena, bytes_of(text));
}

static void look(struct engine *engine, struct topic *topic, struct arena *arena,
                 struct topic_view *ret_view)
{
    pthread_mutex_lock(&topic->lock);
    const struct circuit *circuit = &topic->circuit_rules;
    *ret_view = (struct topic_view){
        .name = bytes_of(topic->name),
        .paused = atomic_load(&topic->paused),
        .paused_by = copy_text(arena, topic->paused_by),
        .paused_why = copy_text(arena, topic->paused_why),
        .paused_at_ms = topic->paused_at_ms,
        .circuit = circuit_state_name(circuit->state),
        .circuit_closed = circuit->state == CIRCUIT_CLOSED,
        .circuit_since_ms = atomic_load(&topic->circuit_since_ms),
        .lag = topic->lag,
        .participants = topic->participants,
        .last_reply_at_ms = atomic_load(&topic->last_reply_at_ms),
        .bad_percent = circuit_bad_percent(circuit),
        .window = topic->window.limit,
        .outstanding = atomic_load(&topic->outstanding),
    };
    pthread_mutex_unlock(&topic->lock);
    ret_view->waiting = waiting_up_to(engine->waiting, topic->number, LINE_START_RETRY);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct topic_view *)a)->name.data,
                  ((const struct topic_view *)b)->name.data);
}

void engine_topics(struct engine *engine, struct arena *arena, struct topic_view **ret_views,
                   size_t *ret_count)
{
    const size_t count = topics_count(engine->topics);
    struct topic_view *views = arena_array(arena, count, sizeof *views);
    for (size_t i = 0; i < count; i++) {
        look(engine, topics_at(engine->topics, i), arena, &views[i]);
    }
    qsort(views, count, sizeof *views, compare_names);
    *ret_views = views;
    *ret_count = count;
}

bool engine_topic(struct engine *engine, struct bytes name, struct arena *arena,
                  struct topic_view *ret_view)
{
    struct topic *topic = topics_find(engine->topics, name);
    if (topic == NULL) return false;
    look(engine, topic, arena, ret_view);
    return true;
}

bool engine_waits_for_topic(struct engine *engine, struct bytes name, const struct uuid *saga_id)
{
    const struct topic *topic = topics_find(engine->topics, name);
    return topic != NULL && waiting_is_unsent(engine->waiting, topic->number, saga_id);
}
