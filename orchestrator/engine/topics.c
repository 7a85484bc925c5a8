#include "orchestrator/engine/topics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct known_topic {
    char name[TOPIC_SIZE];
    size_t size;
    int64_t looked_at_ms;
    bool unread;
};

/* Names never change once they are counted, so that they may be compared without the lock. */
struct topics {
    pthread_mutex_t lock; /* guards adding, looked_at_ms and unread */
    atomic_size_t count;
    struct known_topic known[TOPICS_MAX];
};

struct topics *topics_new(void)
{
    struct topics *topics = calloc(1, sizeof *topics);
    if (topics == NULL) abort();
    pthread_mutex_init(&topics->lock, NULL);
    return topics;
}

void topics_free(struct topics *topics)
{
    if (topics == NULL) return;
    pthread_mutex_destroy(&topics->lock);
    free(topics);
}

static struct known_topic *find(struct topics *topics, struct bytes name)
{
    const size_t count = atomic_load(&topics->count);
    for (size_t i = 0; i < count; i++) {
        struct known_topic *known = &topics->known[i];
        if (known->size == name.size && memcmp(known->name, name.data, name.size) == 0) {
            return known;
        }
    }
    return NULL;
}

void topics_note(struct topics *topics, struct bytes topic)
{
    if (find(topics, topic) != NULL || topic.size >= TOPIC_SIZE) return;
    pthread_mutex_lock(&topics->lock);
    const size_t count = atomic_load(&topics->count);
    if (count < TOPICS_MAX && find(topics, topic) == NULL) {
        struct known_topic *known = &topics->known[count];
        memcpy(known->name, topic.data, topic.size);
        known->size = topic.size;
        known->looked_at_ms = INT64_MIN / 2;
        atomic_store(&topics->count, count + 1);
    }
    pthread_mutex_unlock(&topics->lock);
}

bool topics_next(struct topics *topics, int64_t monotonic_ms, int64_t every_ms,
                 char ret_topic[TOPIC_SIZE])
{
    bool found = false;
    pthread_mutex_lock(&topics->lock);
    const size_t count = atomic_load(&topics->count);
    for (size_t i = 0; i < count && !found; i++) {
        struct known_topic *known = &topics->known[i];
        if (monotonic_ms - known->looked_at_ms < every_ms) continue;
        known->looked_at_ms = monotonic_ms;
        memcpy(ret_topic, known->name, TOPIC_SIZE);
        found = true;
    }
    pthread_mutex_unlock(&topics->lock);
    return found;
}

bool topics_set_read(struct topics *topics, const char *topic, bool is_read)
{
    struct known_topic *known = find(topics, bytes_of(topic));
    if (known == NULL) return false;
    pthread_mutex_lock(&topics->lock);
    const bool news = known->unread == is_read;
    known->unread = !is_read;
    pthread_mutex_unlock(&topics->lock);
    return news;
}
