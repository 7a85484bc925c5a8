#include "orchestrator/engine/topics.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4096 }; /* a power of two, four times TOPICS_MAX */

struct topics {
    uint32_t window_max;
    pthread_mutex_t lock; /* guards adding */
    atomic_size_t count;
    _Atomic(struct topic *) topic[TOPICS_MAX];
    _Atomic(struct topic *) slot[SLOTS]; /* by name, linear probing; nothing is ever taken out */
};

struct topics *topics_new(uint32_t window_max)
{
    struct topics *topics = calloc(1, sizeof *topics);
    if (topics == NULL) abort();
    topics->window_max = window_max;
    pthread_mutex_init(&topics->lock, NULL);
    return topics;
}

static void free_topic(struct topic *topic)
{
    free(topic->paused_by);
    free(topic->paused_why);
    pthread_mutex_destroy(&topic->lock);
    free(topic);
}

void topics_free(struct topics *topics)
{
    if (topics == NULL) return;
    for (size_t i = 0; i < topics_count(topics); i++) {
        free_topic(topics_at(topics, i));
    }
    pthread_mutex_destroy(&topics->lock);
    free(topics);
}

size_t topics_count(const struct topics *topics)
{
    return atomic_load_explicit(&topics->count, memory_order_acquire);
}

struct topic *topics_at(struct topics *topics, size_t number)
{
    return atomic_load_explicit(&topics->topic[number], memory_order_acquire);
}

/* FNV-1a */
static size_t hash_of(struct bytes name)
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ (unsigned char)name.data[i]) * 0x100000001b3U;
    }
    return (size_t)(hash ^ hash >> 32);
}

/* Where it is, or the empty slot where it would go. */
static _Atomic(struct topic *) *slot_of(struct topics *topics, struct bytes name,
                                        struct topic **ret_topic)
{
    for (size_t at = hash_of(name);; at++) {
        _Atomic(struct topic *) *slot = &topics->slot[at & (SLOTS - 1)];
        struct topic *topic = atomic_load_explicit(slot, memory_order_acquire);
        *ret_topic = topic;
        if (topic == NULL) return slot;
        if (topic->size == name.size && memcmp(topic->name, name.data, name.size) == 0) {
            return slot;
        }
    }
}

struct topic *topics_find(struct topics *topics, struct bytes name)
{
    struct topic *topic = NULL;
    (void)slot_of(topics, name, &topic);
    return topic;
}

static struct topic *new_topic(const struct topics *topics, struct bytes name, size_t number)
{
    struct topic *topic = calloc(1, sizeof *topic);
    if (topic == NULL) abort();
    memcpy(topic->name, name.data, name.size);
    topic->size = name.size;
    topic->number = (uint16_t)number;
    topic->looked_at_ms = INT64_MIN / 2;
    topic->lag = topic->participants = -1;
    window_begin(&topic->window, topics->window_max);
    atomic_store(&topic->limit, topic->window.limit);
    atomic_store(&topic->clear, true);
    pthread_mutex_init(&topic->lock, NULL);
    return topic;
}

struct topic *topics_note(struct topics *topics, struct bytes name)
{
    struct topic *topic = topics_find(topics, name);
    if (topic != NULL || name.size >= TOPIC_SIZE) return topic;
    pthread_mutex_lock(&topics->lock);
    _Atomic(struct topic *) *slot = slot_of(topics, name, &topic);
    const size_t count = topics_count(topics);
    if (topic == NULL && count < TOPICS_MAX) {
        topic = new_topic(topics, name, count);
        atomic_store_explicit(&topics->topic[count], topic, memory_order_release);
        atomic_store_explicit(slot, topic, memory_order_release);
        atomic_store_explicit(&topics->count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&topics->lock);
    return topic;
}

struct topic *topics_next(struct topics *topics, int64_t monotonic_ms, int64_t every_ms)
{
    for (size_t i = 0; i < topics_count(topics); i++) {
        struct topic *topic = topics_at(topics, i);
        pthread_mutex_lock(&topic->lock);
        const bool due = monotonic_ms - topic->looked_at_ms >= every_ms;
        if (due) topic->looked_at_ms = monotonic_ms;
        pthread_mutex_unlock(&topic->lock);
        if (due) return topic;
    }
    return NULL;
}

bool topic_set_readers(struct topic *topic, int64_t lag, int64_t participants)
{
    pthread_mutex_lock(&topic->lock);
    /* A member that reads all without being in a group's plan is seen by what it has read. */
    const bool unread = participants == 0 && lag != 0;
    const bool news = participants >= 0 && topic->unread != unread;
    topic->lag = lag;
    topic->participants = participants;
    if (participants >= 0) topic->unread = unread;
    pthread_mutex_unlock(&topic->lock);
    return news;
}

static char *text_of(struct bytes bytes)
{
    if (bytes.data == NULL) return NULL;
    char *text = strndup(bytes.data, bytes.size);
    if (text == NULL) abort();
    return text;
}

bool topic_set_pause(struct topic *topic, struct bytes by, struct bytes why, int64_t at_ms)
{
    const bool paused = by.data != NULL;
    pthread_mutex_lock(&topic->lock);
    const bool news = atomic_load(&topic->paused) != paused || topic->paused_at_ms != at_ms;
    if (news) {
        free(topic->paused_by);
        free(topic->paused_why);
        topic->paused_by = text_of(by);
        topic->paused_why = text_of(why);
        topic->paused_at_ms = at_ms;
        if (paused) atomic_store(&topic->clear, false);
        atomic_store(&topic->paused, paused);
    }
    pthread_mutex_unlock(&topic->lock);
    return news;
}
