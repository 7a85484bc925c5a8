#include "orchestrator/engine/inbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RANGE_PAUSE_MS = 200, RANGE_SPAN_MS = 3600 * 1000 };

struct pending {
    int64_t offset, at_ms;
    bool done;
};

struct partition {
    char topic[INBOX_TOPIC_MAX];
    int32_t number;
    bool ours;
    bool moved;                   /* since its offset was stored */
    int64_t done_offset;          /* last of the run without a gap, where `moved` */
    int64_t newest;               /* last offset that came; -1: none yet */
    struct processed_row *before; /* processed in an earlier life */
    size_t before_count;
    struct pending *ring; /* records in flight, oldest first */
    size_t first, count, capacity;
    bool has_range;
    bool range_grew; /* since it was stored */
    struct processed_row range;
    int64_t range_begun_ms, range_stored_ms; /* monotonic */
    struct partition *next;
};

struct inbox {
    pthread_mutex_t lock; /* guards all partitions */
    struct partition *partitions;
};

struct inbox *inbox_new(void)
{
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL) abort();
    pthread_mutex_init(&inbox->lock, NULL);
    return inbox;
}

void inbox_free(struct inbox *inbox)
{
    if (inbox == NULL) return;
    while (inbox->partitions != NULL) {
        struct partition *partition = inbox->partitions;
        inbox->partitions = partition->next;
        free(partition->before);
        free(partition->ring);
        free(partition);
    }
    pthread_mutex_destroy(&inbox->lock);
    free(inbox);
}

static struct partition *find(struct inbox *inbox, struct bytes topic, int32_t number)
{
    for (struct partition *at = inbox->partitions; at != NULL; at = at->next) {
        if (at->number == number && bytes_equal_text(topic, at->topic)) return at;
    }
    return NULL;
}

static struct partition *find_or_add(struct inbox *inbox, struct bytes topic, int32_t number)
{
    struct partition *partition = find(inbox, topic, number);
    if (partition != NULL) return partition;
    partition = calloc(1, sizeof *partition);
    if (partition == NULL) abort();
    const size_t size = topic.size < INBOX_TOPIC_MAX - 1 ? topic.size : (size_t)INBOX_TOPIC_MAX - 1;
    memcpy(partition->topic, topic.data, size);
    partition->number = number;
    partition->next = inbox->partitions;
    inbox->partitions = partition;
    return partition;
}

static void start_anew(struct partition *partition)
{
    partition->first = partition->count = 0;
    partition->has_range = false;
    partition->moved = false;
    partition->newest = -1;
}

void inbox_assign(struct inbox *inbox, struct bytes topic, int32_t number,
                  const struct processed_row *rows, size_t count)
{
    pthread_mutex_lock(&inbox->lock);
    struct partition *partition = find_or_add(inbox, topic, number);
    free(partition->before);
    partition->before = NULL;
    partition->before_count = count;
    if (count > 0) {
        partition->before = calloc(count, sizeof *rows);
        if (partition->before == NULL) abort();
        memcpy(partition->before, rows, count * sizeof *rows);
    }
    partition->ours = true;
    start_anew(partition);
    pthread_mutex_unlock(&inbox->lock);
}

void inbox_revoke(struct inbox *inbox, struct bytes topic, int32_t number)
{
    pthread_mutex_lock(&inbox->lock);
    struct partition *partition = find(inbox, topic, number);
    if (partition != NULL) {
        partition->ours = false;
        start_anew(partition);
    }
    pthread_mutex_unlock(&inbox->lock);
}

static bool was_processed(const struct partition *partition, int64_t offset, int64_t at_ms)
{
    for (size_t i = 0; i < partition->before_count; i++) {
        const struct processed_row *row = &partition->before[i];
        if (offset >= row->first_offset && offset <= row->last_offset &&
            at_ms >= row->first_at_ms && at_ms <= row->last_at_ms) {
            return true;
        }
    }
    return false;
}

static void push(struct partition *partition, int64_t offset, int64_t at_ms, bool done)
{
    if (partition->count == partition->capacity) {
        const size_t capacity = partition->capacity == 0 ? 64 : partition->capacity * 2;
        struct pending *ring = calloc(capacity, sizeof *ring);
        if (ring == NULL) abort();
        for (size_t i = 0; i < partition->count; i++) {
            ring[i] = partition->ring[(partition->first + i) % partition->capacity];
        }
        free(partition->ring);
        partition->ring = ring;
        partition->capacity = capacity;
        partition->first = 0;
    }
    partition->ring[(partition->first + partition->count) % partition->capacity] =
        (struct pending){offset, at_ms, done};
    partition->count++;
}

bool inbox_begin(struct inbox *inbox, struct bytes topic, int32_t number, int64_t offset,
                 int64_t at_ms)
{
    pthread_mutex_lock(&inbox->lock);
    struct partition *partition = find_or_add(inbox, topic, number);
    const bool known = was_processed(partition, offset, at_ms);
    /* Offsets go back without a new assignment where the topic was deleted and made anew. */
    if (offset <= partition->newest) start_anew(partition);
    partition->newest = offset;
    if (partition->ours) push(partition, offset, at_ms, known);
    pthread_mutex_unlock(&inbox->lock);
    return !known;
}

static void widen(struct partition *partition, const struct pending *pending)
{
    struct processed_row *range = &partition->range;
    partition->range_grew = true;
    if (!partition->has_range) {
        *range = (struct processed_row){pending->offset, pending->offset, pending->at_ms,
                                        pending->at_ms};
        partition->has_range = true;
        partition->range_begun_ms = 0;
        return;
    }
    range->last_offset = pending->offset;
    if (pending->at_ms < range->first_at_ms) range->first_at_ms = pending->at_ms;
    if (pending->at_ms > range->last_at_ms) range->last_at_ms = pending->at_ms;
}

static void advance(struct partition *partition)
{
    while (partition->count > 0 && partition->ring[partition->first].done) {
        const struct pending *pending = &partition->ring[partition->first];
        widen(partition, pending);
        partition->done_offset = pending->offset;
        partition->moved = true;
        partition->first = (partition->first + 1) % partition->capacity;
        partition->count--;
    }
}

/* Offsets grow along the ring: bisect. */
static void mark_done(struct partition *partition, int64_t offset)
{
    size_t low = 0;
    size_t high = partition->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        struct pending *pending =
            &partition->ring[(partition->first + middle) % partition->capacity];
        if (pending->offset == offset) pending->done = true;
        if (pending->offset == offset) return;
        if (pending->offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
}

void inbox_done(struct inbox *inbox, struct bytes topic, int32_t number, int64_t offset)
{
    pthread_mutex_lock(&inbox->lock);
    struct partition *partition = find(inbox, topic, number);
    if (partition != NULL && partition->ours) {
        mark_done(partition, offset);
        advance(partition);
    }
    pthread_mutex_unlock(&inbox->lock);
}

void inbox_store_grown(struct inbox *inbox, inbox_store *store, void *context)
{
    pthread_mutex_lock(&inbox->lock);
    for (struct partition *at = inbox->partitions; at != NULL; at = at->next) {
        if (!at->moved) continue;
        at->moved = false;
        store(context, bytes_of(at->topic), at->number, at->done_offset);
    }
    pthread_mutex_unlock(&inbox->lock);
}

size_t inbox_ranges(struct inbox *inbox, int64_t monotonic_ms, struct processed_write *ret_ranges,
                    size_t limit)
{
    size_t count = 0;
    pthread_mutex_lock(&inbox->lock);
    for (struct partition *at = inbox->partitions; at != NULL && count < limit; at = at->next) {
        if (!at->range_grew || monotonic_ms - at->range_stored_ms < RANGE_PAUSE_MS) continue;
        ret_ranges[count++] = (struct processed_write){
            .topic = bytes_of(at->topic),
            .partition = at->number,
            .first_offset = at->range.first_offset,
            .last_offset = at->range.last_offset,
            .first_at_ms = at->range.first_at_ms,
            .last_at_ms = at->range.last_at_ms,
        };
        at->range_grew = false;
        at->range_stored_ms = monotonic_ms;
        if (at->range_begun_ms == 0) at->range_begun_ms = monotonic_ms;
        if (monotonic_ms - at->range_begun_ms > RANGE_SPAN_MS) at->has_range = false;
    }
    pthread_mutex_unlock(&inbox->lock);
    return count;
}
