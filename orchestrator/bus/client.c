/*
 * orchestrator/bus/client.c
 *   See client.h.
 */
#include "orchestrator/bus/client.h"

#include "orchestrator/base/clock.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_WINDOW_MS = 10 * 1000, LOG_LINES_MAX = 4, LOG_TEXT_SIZE = 400 };

static const struct setting SHARED[] = {
    {"client.id",                          "sagad"},
    {"socket.nagle.disable",               "true" },
    {"socket.keepalive.enable",            "true" },
 /* A broker that comes back is found within a second. */
    {"reconnect.backoff.ms",               "100"  },
    {"reconnect.backoff.max.ms",           "1000" },
    {"socket.connection.setup.timeout.ms", "5000" },
    {"log.connection.close",               "false"},
    {"log_level",                          "4"    },
};

void client_init(struct client *client, const char *role, void *owner)
{
    *client = (struct client){.role = role, .owner = owner};
    pthread_mutex_init(&client->lock, NULL);
}

void client_done(struct client *client)
{
    pthread_mutex_destroy(&client->lock);
}

/* True when a line may be written; *ret_suppressed are those that were not, to be told now. */
static bool may_log(struct client *client, uint32_t *ret_suppressed)
{
    const int64_t now_ms = clock_monotonic_ms();
    *ret_suppressed = 0;
    pthread_mutex_lock(&client->lock);
    if (client->window_since_ms == 0 || now_ms - client->window_since_ms >= LOG_WINDOW_MS) {
        *ret_suppressed = client->suppressed;
        client->window_since_ms = now_ms;
        client->lines = client->suppressed = 0;
    }
    const bool may = client->lines < LOG_LINES_MAX;
    if (may) {
        client->lines++;
    } else {
        client->suppressed++;
    }
    pthread_mutex_unlock(&client->lock);
    return may;
}

static void log_line(struct client *client, enum log_level level, const char *event,
                     const char *text)
{
    uint32_t suppressed;
    if (!may_log(client, &suppressed)) return;
    if (suppressed > 0) {
        log_event(LOG_WARNING, "kafka_log_suppressed", "client=%s lines=%u", client->role,
                  suppressed);
    }
    log_event(level, event, "client=%s %s", client->role, text);
}

void client_warn(struct client *client, const char *event, const char *format, ...)
{
    char text[LOG_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_line(client, LOG_WARNING, event, text);
}

/* Thread: any of librdkafka's. */
static void on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *message)
{
    /* Each setting in `extra` is given to both roles; that one of them has no use for it is no
     * news. */
    if (strcmp(facility, "CONFWARN") == 0) return;
    char text[LOG_TEXT_SIZE];
    snprintf(text, sizeof text, "facility=%s message=\"%s\"", facility, message);
    for (char *c = strstr(text, "message=\"") + strlen("message=\""); c[0] != '\0' && c[1] != '\0';
         c++) {
        if (*c == '"') *c = '\'';
    }
    /* A broker that cannot be reached (FAIL) passes; the rest of level 3 and below does not. */
    const bool passes = level > 3 || strcmp(facility, "FAIL") == 0;
    log_line(rd_kafka_opaque(kafka), passes ? LOG_WARNING : LOG_ERROR, "kafka_client", text);
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char text[160];
    if (value == NULL ||
        rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK) {
        return true;
    }
    return err_set(err, ERR_INVALID, "Kafka setting %s: %s", name, text);
}

static bool set_all(rd_kafka_conf_t *conf, const struct setting *settings, size_t count,
                    struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!set(conf, settings[i].name, settings[i].value, err)) return false;
    }
    return true;
}

/* True when `text` begins with "some.name=": then the comma before it ended a setting. */
static bool begins_setting(const char *text)
{
    const size_t name_size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._");
    return name_size > 0 && text[name_size] == '=';
}

/* The end of the setting that starts at `text`. A comma inside a value is part of it. */
static const char *end_of_setting(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == ',' && begins_setting(text + 1)) return text;
    }
    return text;
}

static bool set_extra(rd_kafka_conf_t *conf, const char *extra, struct err *err)
{
    while (extra != NULL && *extra != '\0') {
        const char *end = end_of_setting(extra);
        char pair[1024];
        if (!begins_setting(extra)) {
            return err_set(err, ERR_INVALID, "Kafka settings: \"%.60s\" is not name=value", extra);
        }
        if ((size_t)(end - extra) >= sizeof pair) {
            return err_set(err, ERR_INVALID, "Kafka settings: \"%.60s...\" is too long", extra);
        }
        memcpy(pair, extra, (size_t)(end - extra));
        pair[end - extra] = '\0';
        char *value = strchr(pair, '=');
        *value++ = '\0';
        if (!set(conf, pair, value, err)) return false;
        extra = *end == ',' ? end + 1 : end;
    }
    return true;
}

bool client_configure(struct client *client, const struct bus_options *options,
                      const struct setting *settings, size_t setting_count,
                      rd_kafka_conf_t **ret_conf, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!set(conf, "bootstrap.servers", options->brokers, err) ||
        !set_all(conf, SHARED, sizeof SHARED / sizeof SHARED[0], err) ||
        !set_all(conf, settings, setting_count, err) || !set_extra(conf, options->extra, err)) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    *ret_conf = conf;
    return true;
}

bool client_create(struct client *client, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                   rd_kafka_t **ret_kafka, struct err *err)
{
    char text[200];
    rd_kafka_t *kafka = rd_kafka_new(type, conf, text, sizeof text);
    if (kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, ERR_INVALID, "Kafka %s: %s", client->role, text);
    }
    *ret_kafka = kafka;
    return true;
}

pthread_t client_thread(void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) != 0) abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return thread;
}
