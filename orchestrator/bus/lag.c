/*
 * orchestrator/bus/lag.c
 *   See lag.h. Committed offsets come from the Admin API; a broker that does not speak it (the
 *   embedded one) makes the lag unknown, nothing worse.
 */
#include "orchestrator/bus/lag.h"

#include "orchestrator/base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    TOPICS_MAX = 1000, /* entries kept; beyond it all are forgotten */
    TOPIC_NAME_SIZE = 250,
    GROUPS_MAX = 100, /* asked for a topic; more groups than that are left out */
    FRESH_MS = 2000,
    PARTITIONS_FRESH_MS = 30 * 1000,
    REQUEST_MS = 10 * 60 * 1000,
};

struct entry {
    char topic[TOPIC_NAME_SIZE];
    int32_t partitions;
    int64_t partitions_until_ms;
    int64_t lag, members;
    int64_t lag_until_ms;
    struct entry *next;
};

struct lag {
    struct producer *producer;
    pthread_mutex_t lock; /* guards the entries; held while the broker is asked: one at a time */
    struct entry *entries;
    size_t entry_count;
};

/* A question that is being asked. */
struct inquiry {
    rd_kafka_t *kafka;
    rd_kafka_queue_t *queue;
    int64_t end_ms;
    const char *topic;
    int32_t partitions;
    rd_kafka_topic_partition_list_t *low, *high; /* watermarks */
    int64_t members;                             /* answer: that have partitions of it assigned */
};

struct lag *lag_open(struct producer *producer)
{
    struct lag *lag = calloc(1, sizeof *lag);
    if (lag == NULL) abort();
    lag->producer = producer;
    pthread_mutex_init(&lag->lock, NULL);
    return lag;
}

static void forget_all(struct lag *lag)
{
    while (lag->entries != NULL) {
        struct entry *next = lag->entries->next;
        free(lag->entries);
        lag->entries = next;
    }
    lag->entry_count = 0;
}

void lag_close(struct lag *lag)
{
    if (lag == NULL) return;
    forget_all(lag);
    pthread_mutex_destroy(&lag->lock);
    free(lag);
}

static struct entry *find_entry(struct lag *lag, struct bytes topic)
{
    for (struct entry *entry = lag->entries; entry != NULL; entry = entry->next) {
        if (bytes_equal_text(topic, entry->topic)) return entry;
    }
    if (lag->entry_count == TOPICS_MAX) forget_all(lag);
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) abort();
    memcpy(entry->topic, topic.data, topic.size);
    entry->next = lag->entries;
    lag->entries = entry;
    lag->entry_count++;
    return entry;
}

static int left_ms(int64_t end_ms)
{
    const int64_t left = end_ms - clock_monotonic_ms();
    return left > 0 ? (int)left : 0;
}

/* ---- partitions ---- */

static int32_t ask_partitions(rd_kafka_t *kafka, const char *topic, int timeout_ms)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka, topic, NULL);
    if (handle == NULL) return -1;
    const struct rd_kafka_metadata *metadata = NULL;
    int32_t count = -1;
    if (rd_kafka_metadata(kafka, 0, handle, &metadata, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            count = metadata->topics[0].partition_cnt;
        }
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
    return count > 0 ? count : -1;
}

static void refresh_partitions(rd_kafka_t *kafka, struct entry *entry, int64_t end_ms)
{
    if (clock_monotonic_ms() < entry->partitions_until_ms) return;
    entry->partitions = ask_partitions(kafka, entry->topic, left_ms(end_ms));
    entry->partitions_until_ms =
        clock_monotonic_ms() + (entry->partitions > 0 ? PARTITIONS_FRESH_MS : FRESH_MS);
}

int32_t lag_partitions(struct lag *lag, struct bytes topic, uint32_t timeout_ms)
{
    if (topic.size == 0 || topic.size >= TOPIC_NAME_SIZE) return -1;
    const int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    pthread_mutex_lock(&lag->lock);
    struct entry *entry = find_entry(lag, topic);
    rd_kafka_t *kafka = producer_hold(lag->producer);
    refresh_partitions(kafka, entry, end_ms);
    producer_release(lag->producer, kafka);
    const int32_t count = entry->partitions;
    pthread_mutex_unlock(&lag->lock);
    return count;
}

/* ---- lag ---- */

static rd_kafka_event_t *answer(struct inquiry *inquiry)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(inquiry->queue, left_ms(inquiry->end_ms));
    if (event != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
    if (event != NULL) rd_kafka_event_destroy(event);
    return NULL;
}

/*
 * answer() stops waiting in time. The request itself must not time out before its connection does:
 * an answer that comes after that aborts the process (librdkafka issue 4605).
 */
static rd_kafka_AdminOptions_t *admin_options(struct inquiry *inquiry, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(inquiry->kafka, op);
    char text[100];
    (void)rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, text, sizeof text);
    return options;
}

static bool ask_watermarks(struct inquiry *inquiry)
{
    for (int32_t i = 0; i < inquiry->partitions; i++) {
        int64_t low = 0, high = 0;
        if (rd_kafka_query_watermark_offsets(inquiry->kafka, inquiry->topic, i, &low, &high,
                                             left_ms(inquiry->end_ms)) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            return false;
        }
        rd_kafka_topic_partition_list_add(inquiry->low, inquiry->topic, i)->offset = low;
        rd_kafka_topic_partition_list_add(inquiry->high, inquiry->topic, i)->offset = high;
    }
    return true;
}

/* Lag of a group from its committed offsets. */
static int64_t sum_lag(const struct inquiry *inquiry,
                       const rd_kafka_topic_partition_list_t *committed)
{
    int64_t sum = 0;
    bool reads_it = false;
    for (int i = 0; i < committed->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &committed->elems[i];
        if (at->partition < 0 || at->partition >= inquiry->partitions) continue;
        /* A partition where it has committed nothing is unread from its first record on. */
        int64_t from = inquiry->low->elems[at->partition].offset;
        if (at->offset >= 0) {
            reads_it = true;
            from = at->offset;
        }
        const int64_t behind = inquiry->high->elems[at->partition].offset - from;
        sum += behind > 0 ? behind : 0;
    }
    return reads_it ? sum : BUS_LAG_UNREAD;
}

static int64_t ask_group(struct inquiry *inquiry, const char *group)
{
    rd_kafka_AdminOptions_t *options =
        admin_options(inquiry, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets_t *question =
        rd_kafka_ListConsumerGroupOffsets_new(group, inquiry->low);
    rd_kafka_ListConsumerGroupOffsets(inquiry->kafka, &question, 1, options, inquiry->queue);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
    rd_kafka_AdminOptions_destroy(options);

    rd_kafka_event_t *event = answer(inquiry);
    if (event == NULL) return BUS_LAG_UNKNOWN;
    int64_t lag = BUS_LAG_UNKNOWN;
    size_t count = 0;
    const rd_kafka_ListConsumerGroupOffsets_result_t *result =
        rd_kafka_event_ListConsumerGroupOffsets_result(event);
    const rd_kafka_group_result_t **groups =
        result == NULL ? NULL : rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
    if (count == 1 && rd_kafka_group_result_error(groups[0]) == NULL) {
        lag = sum_lag(inquiry, rd_kafka_group_result_partitions(groups[0]));
    }
    rd_kafka_event_destroy(event);
    return lag;
}

static int64_t lowest_lag(struct inquiry *inquiry, const rd_kafka_ConsumerGroupListing_t **groups,
                          size_t count)
{
    /* We read as a group ourselves: a broker that names none (the embedded one) does not tell. */
    const bool telling = count > 0 && count <= GROUPS_MAX;
    int64_t lowest = telling ? BUS_LAG_UNREAD : BUS_LAG_UNKNOWN;
    for (size_t i = 0; i < count && i < GROUPS_MAX; i++) {
        const int64_t lag = ask_group(inquiry, rd_kafka_ConsumerGroupListing_group_id(groups[i]));
        const bool better = lowest < 0 ? lag > lowest : lag >= 0 && lag < lowest;
        if (better) lowest = lag;
    }
    return lowest;
}

static int64_t count_members(const struct inquiry *inquiry,
                             const rd_kafka_ConsumerGroupDescription_t *group)
{
    int64_t count = 0;
    for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(group); i++) {
        const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(
            rd_kafka_ConsumerGroupDescription_member(group, i));
        const rd_kafka_topic_partition_list_t *partitions =
            assignment == NULL ? NULL : rd_kafka_MemberAssignment_partitions(assignment);
        bool reads_it = false;
        for (int k = 0; partitions != NULL && k < partitions->cnt; k++) {
            reads_it = reads_it || strcmp(partitions->elems[k].topic, inquiry->topic) == 0;
        }
        count += reads_it ? 1 : 0;
    }
    return count;
}

/* Of all groups at once. */
static void ask_members(struct inquiry *inquiry, const rd_kafka_ConsumerGroupListing_t **groups,
                        size_t count)
{
    const char *names[GROUPS_MAX];
    if (count == 0 || count > GROUPS_MAX) return;
    for (size_t i = 0; i < count; i++) {
        names[i] = rd_kafka_ConsumerGroupListing_group_id(groups[i]);
    }
    rd_kafka_AdminOptions_t *options =
        admin_options(inquiry, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_DescribeConsumerGroups(inquiry->kafka, names, count, options, inquiry->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_event_t *event = answer(inquiry);
    if (event == NULL) return;
    const rd_kafka_DescribeConsumerGroups_result_t *result =
        rd_kafka_event_DescribeConsumerGroups_result(event);
    size_t told = 0;
    const rd_kafka_ConsumerGroupDescription_t **described =
        result == NULL ? NULL : rd_kafka_DescribeConsumerGroups_result_groups(result, &told);
    int64_t members = 0;
    bool good = described != NULL;
    for (size_t i = 0; described != NULL && i < told; i++) {
        good = good && rd_kafka_ConsumerGroupDescription_error(described[i]) == NULL;
        members += count_members(inquiry, described[i]);
    }
    if (good || members > 0) inquiry->members = members;
    rd_kafka_event_destroy(event);
}

static int64_t ask_groups(struct inquiry *inquiry)
{
    rd_kafka_AdminOptions_t *options = admin_options(inquiry, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    rd_kafka_ListConsumerGroups(inquiry->kafka, options, inquiry->queue);
    rd_kafka_AdminOptions_destroy(options);

    rd_kafka_event_t *event = answer(inquiry);
    if (event == NULL) return BUS_LAG_UNKNOWN;
    int64_t lag = BUS_LAG_UNKNOWN;
    const rd_kafka_ListConsumerGroups_result_t *result =
        rd_kafka_event_ListConsumerGroups_result(event);
    if (result != NULL) {
        size_t count = 0;
        const rd_kafka_ConsumerGroupListing_t **groups =
            rd_kafka_ListConsumerGroups_result_valid(result, &count);
        lag = lowest_lag(inquiry, groups, count);
        ask_members(inquiry, groups, count);
        size_t error_count = 0;
        (void)rd_kafka_ListConsumerGroups_result_errors(result, &error_count);
        if (lag < 0 && error_count > 0) lag = BUS_LAG_UNKNOWN; /* a broker did not say */
    }
    rd_kafka_event_destroy(event);
    return lag;
}

static void ask_lag(rd_kafka_t *kafka, struct entry *entry, int64_t end_ms)
{
    struct inquiry inquiry = {.kafka = kafka,
                              .queue = rd_kafka_queue_new(kafka),
                              .end_ms = end_ms,
                              .topic = entry->topic,
                              .members = BUS_LAG_UNKNOWN,
                              .partitions = entry->partitions,
                              .low = rd_kafka_topic_partition_list_new(entry->partitions),
                              .high = rd_kafka_topic_partition_list_new(entry->partitions)};
    entry->lag = ask_watermarks(&inquiry) ? ask_groups(&inquiry) : BUS_LAG_UNKNOWN;
    entry->members = inquiry.members;
    rd_kafka_topic_partition_list_destroy(inquiry.low);
    rd_kafka_topic_partition_list_destroy(inquiry.high);
    rd_kafka_queue_destroy(inquiry.queue);
}

int64_t lag_readers(struct lag *lag, struct bytes topic, uint32_t timeout_ms, int64_t *ret_members)
{
    *ret_members = BUS_LAG_UNKNOWN;
    if (topic.size == 0 || topic.size >= TOPIC_NAME_SIZE) return BUS_LAG_UNKNOWN;
    const int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    pthread_mutex_lock(&lag->lock);
    struct entry *entry = find_entry(lag, topic);
    if (clock_monotonic_ms() >= entry->lag_until_ms) {
        rd_kafka_t *kafka = producer_hold(lag->producer);
        refresh_partitions(kafka, entry, end_ms);
        entry->lag = entry->members = BUS_LAG_UNKNOWN;
        if (entry->partitions > 0) ask_lag(kafka, entry, end_ms);
        producer_release(lag->producer, kafka);
        entry->lag_until_ms = clock_monotonic_ms() + FRESH_MS;
    }
    const int64_t records = entry->lag;
    *ret_members = entry->members;
    pthread_mutex_unlock(&lag->lock);
    return records;
}

int64_t lag_of(struct lag *lag, struct bytes topic, uint32_t timeout_ms)
{
    int64_t members = 0;
    return lag_readers(lag, topic, timeout_ms, &members);
}
