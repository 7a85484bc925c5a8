/*
 * orchestrator/bus/embedded.c
 *   See embedded.h. A mock cluster hangs on a client handle that is used for nothing else.
 */
#include "orchestrator/bus/embedded.h"

#include <assert.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

enum { BROKER_ID = 1, API_PRODUCE = 0 };

struct embedded_broker {
    rd_kafka_t *handle;
    rd_kafka_mock_cluster_t *cluster;
};

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[200];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) abort();
}

bool embedded_start(struct embedded_broker **ret_broker, struct err *err)
{
    char text[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* The handle itself has no business to log. */
    set(conf, "log_level", "0");
    /* The broker's side of each connection: an answer must not wait until its client has confirmed
     * the one before, which may take it 40 ms. */
    set(conf, "socket.nagle.disable", "true");
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, ERR_INTERNAL, "embedded broker: %s", text);
    }
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, BROKER_ID);
    if (cluster == NULL) {
        rd_kafka_destroy(handle);
        return err_set(err, ERR_UNAVAILABLE, "embedded broker: cannot listen on 127.0.0.1");
    }
    struct embedded_broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL) abort();
    *broker = (struct embedded_broker){.handle = handle, .cluster = cluster};
    *ret_broker = broker;
    return true;
}

void embedded_stop(struct embedded_broker *broker)
{
    if (broker == NULL) return;
    rd_kafka_mock_cluster_destroy(broker->cluster);
    rd_kafka_destroy(broker->handle);
    free(broker);
}

const char *embedded_brokers(const struct embedded_broker *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

bool embedded_topic(struct embedded_broker *broker, const char *topic, int32_t partitions,
                    struct err *err)
{
    assert(partitions > 0);
    const rd_kafka_resp_err_t status =
        rd_kafka_mock_topic_create(broker->cluster, topic, partitions, 1);
    if (status == RD_KAFKA_RESP_ERR_NO_ERROR || status == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        return true;
    }
    return err_set(err, ERR_INTERNAL, "embedded broker: topic %s: %s", topic,
                   rd_kafka_err2str(status));
}

void embedded_down(struct embedded_broker *broker)
{
    rd_kafka_mock_broker_set_down(broker->cluster, BROKER_ID);
}

void embedded_up(struct embedded_broker *broker)
{
    rd_kafka_mock_broker_set_up(broker->cluster, BROKER_ID);
}

void embedded_refuse_produce(struct embedded_broker *broker, enum embedded_fault fault,
                             size_t count)
{
    static const rd_kafka_resp_err_t ERRORS[] = {
        [EMBEDDED_FEW_REPLICAS] = RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        [EMBEDDED_LOST_SEQUENCE] = RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
    };
    assert(count <= EMBEDDED_FAULTS_MAX);
    rd_kafka_resp_err_t errors[EMBEDDED_FAULTS_MAX];
    for (size_t i = 0; i < count; i++) {
        errors[i] = ERRORS[fault];
    }
    rd_kafka_mock_push_request_errors_array(broker->cluster, API_PRODUCE, count, errors);
}
