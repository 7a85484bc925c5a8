/*
 * orchestrator/bus/topics.c
 *   See topics.h. Asks and makes through the Admin API of a client of its own.
 */
#include "orchestrator/bus/topics.h"

#include <librdkafka/rdkafka.h>
#include <string.h>

enum { ASK_MS = 10 * 1000, MAKE_MS = 30 * 1000, CONF_TEXT_SIZE = 200 };

static const char *const OWN_TOPICS[] = {"saga.replies", "saga.events", "saga.signals",
                                         "saga.replies.dlt"};
enum { OWN_COUNT = sizeof OWN_TOPICS / sizeof OWN_TOPICS[0] };

static bool connect_to(const char *brokers, rd_kafka_t **ret_kafka, struct err *err)
{
    char text[CONF_TEXT_SIZE];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *kafka = NULL;
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text) ==
            RD_KAFKA_CONF_OK &&
        rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text) == RD_KAFKA_CONF_OK) {
        kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    }
    if (kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, ERR_INVALID, "Kafka brokers \"%.80s\": %s", brokers, text);
    }
    *ret_kafka = kafka;
    return true;
}

static struct bytes explain(struct arena *arena, const char *format, const char *a, const char *b)
{
    struct buffer text = buffer_in(arena);
    buffer_add_text(&text, a);
    buffer_add_text(&text, format);
    buffer_add_text(&text, b);
    return buffer_bytes(&text);
}

static void compare(struct topic_plan *topic, const struct rd_kafka_metadata *metadata,
                    struct arena *arena)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *found = &metadata->topics[i];
        if (!bytes_equal_text(topic->name, found->topic)) continue;
        topic->exists = found->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR && topic->exists) {
            topic->problem = explain(arena, "", "the broker says: ", rd_kafka_err2str(found->err));
        }
        if (found->partition_cnt > 0) {
            topic->partitions = found->partition_cnt;
            topic->replication = (int16_t)found->partitions[0].replica_cnt;
        }
        return;
    }
}

static bool is_planned(const struct topic_plan *plan, size_t count, struct bytes name)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(plan[i].name, name)) return true;
    }
    return false;
}

static size_t list_wanted(const char *prefix, const struct bytes *extra, size_t extra_count,
                          struct arena *arena, struct topic_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < OWN_COUNT; i++) {
        plan[count++].name = explain(arena, "", prefix == NULL ? "" : prefix, OWN_TOPICS[i]);
    }
    for (size_t i = 0; i < extra_count; i++) {
        if (!is_planned(plan, count, extra[i])) plan[count++].name = bytes_copy(arena, extra[i]);
    }
    return count;
}

bool topics_plan(const char *brokers, const char *prefix, const struct bytes *extra,
                 size_t extra_count, int32_t partitions, int16_t replication, struct arena *arena,
                 struct topic_plan **ret_plan, size_t *ret_count, struct err *err)
{
    rd_kafka_t *kafka = NULL;
    if (!connect_to(brokers, &kafka, err)) return false;
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t status = rd_kafka_metadata(kafka, 1, NULL, &metadata, ASK_MS);
    if (status != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_destroy(kafka);
        return err_set(err, ERR_UNAVAILABLE, "no answer from the brokers at %.100s: %s", brokers,
                       rd_kafka_err2str(status));
    }
    struct topic_plan *plan = arena_array(arena, OWN_COUNT + extra_count, sizeof *plan);
    const size_t count = list_wanted(prefix, extra, extra_count, arena, plan);
    for (size_t i = 0; i < count; i++) {
        plan[i].partitions = partitions;
        plan[i].replication = replication;
        compare(&plan[i], metadata, arena);
    }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(kafka);
    *ret_plan = plan;
    *ret_count = count;
    return true;
}

/* ---- making them ---- */

static struct topic_plan *find_planned(struct topic_plan *plan, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal_text(plan[i].name, name)) return &plan[i];
    }
    return NULL;
}

static void note_result(struct topic_plan *topic, const rd_kafka_topic_result_t *result,
                        struct arena *arena)
{
    const rd_kafka_resp_err_t status = rd_kafka_topic_result_error(result);
    /* Somebody else made it meanwhile: that is what was wanted. */
    topic->exists =
        status == RD_KAFKA_RESP_ERR_NO_ERROR || status == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
    topic->made = status == RD_KAFKA_RESP_ERR_NO_ERROR;
    topic->problem = (struct bytes){0};
    if (topic->exists) return;
    const char *text = rd_kafka_topic_result_error_string(result);
    topic->problem = explain(arena, ": ", rd_kafka_err2str(status), text == NULL ? "" : text);
}

static size_t wish_for(const struct topic_plan *plan, size_t count, struct arena *arena,
                       rd_kafka_NewTopic_t **wishes, struct topic_plan *ret_first_bad)
{
    char text[CONF_TEXT_SIZE];
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        if (plan[i].exists) continue;
        wishes[wanted] =
            rd_kafka_NewTopic_new(arena_copy(arena, plan[i].name.data, plan[i].name.size),
                                  plan[i].partitions, plan[i].replication, text, sizeof text);
        if (wishes[wanted] == NULL) {
            *ret_first_bad = plan[i];
            ret_first_bad->problem = explain(arena, "", text, "");
            return wanted;
        }
        wanted++;
    }
    return wanted;
}

static bool take_results(const rd_kafka_event_t *event, struct topic_plan *plan, size_t count,
                         struct arena *arena, struct err *err)
{
    size_t result_count = 0;
    const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result((rd_kafka_event_t *)(uintptr_t)event), &result_count);
    const struct topic_plan *failed = NULL;
    for (size_t i = 0; i < result_count; i++) {
        struct topic_plan *topic =
            find_planned(plan, count, rd_kafka_topic_result_name(results[i]));
        if (topic == NULL) continue;
        note_result(topic, results[i], arena);
        if (!topic->exists && failed == NULL) failed = topic;
    }
    if (failed == NULL) return true;
    return err_set(err, ERR_INVALID, "topic %.*s was not made: %.*s", (int)failed->name.size,
                   failed->name.data, (int)failed->problem.size, failed->problem.data);
}

static bool make(rd_kafka_t *kafka, rd_kafka_NewTopic_t **wishes, size_t wanted,
                 rd_kafka_event_t **ret_event, struct err *err)
{
    char text[CONF_TEXT_SIZE];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(kafka, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, MAKE_MS, text, sizeof text);
    rd_kafka_AdminOptions_set_operation_timeout(options, MAKE_MS, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_CreateTopics(kafka, wishes, wanted, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, MAKE_MS + 1000);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    if (event == NULL) {
        return err_set(err, ERR_UNAVAILABLE, "the brokers did not make the topics within 30 s");
    }
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        err_set(err, ERR_UNAVAILABLE, "the brokers did not make the topics: %s",
                rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        return false;
    }
    *ret_event = event;
    return true;
}

bool topics_apply(const char *brokers, struct topic_plan *plan, size_t count, struct arena *arena,
                  struct err *err)
{
    rd_kafka_NewTopic_t **wishes = arena_array(arena, count + 1, sizeof(rd_kafka_NewTopic_t *));
    struct topic_plan bad = {0};
    const size_t wanted = wish_for(plan, count, arena, wishes, &bad);
    bool done = bad.name.data == NULL;
    rd_kafka_t *kafka = NULL;
    rd_kafka_event_t *event = NULL;
    if (!done) {
        err_set(err, ERR_INVALID, "topic %.*s: %.*s", (int)bad.name.size, bad.name.data,
                (int)bad.problem.size, bad.problem.data);
    } else if (wanted > 0) {
        done = connect_to(brokers, &kafka, err) && make(kafka, wishes, wanted, &event, err) &&
               take_results(event, plan, count, arena, err);
    }
    if (event != NULL) rd_kafka_event_destroy(event);
    if (kafka != NULL) rd_kafka_destroy(kafka);
    if (wanted > 0) rd_kafka_NewTopic_destroy_array(wishes, wanted);
    return done;
}
