/*
 * orchestrator/telemetry/metrics.c
 *   One table of metrics, one hash of series, one lock.
 */
#include "orchestrator/telemetry/metrics.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MAX = 16, LABEL_SIZE_MAX = 120, SLOTS = 4096 };

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const double SECONDS_BUCKETS[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                         0.5,   1,      2.5,   5,    10,    30,   60,  300};
static const double COUNT_BUCKETS[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000};

struct family {
    const char *name, *help;
    enum kind kind;
    const char *labels[METRIC_LABELS_MAX];
    const double *buckets;
    size_t bucket_count;
};

#define SECONDS    SECONDS_BUCKETS, sizeof SECONDS_BUCKETS / sizeof *SECONDS_BUCKETS
#define COUNTS     COUNT_BUCKETS, sizeof COUNT_BUCKETS / sizeof *COUNT_BUCKETS
#define NO_BUCKETS NULL, 0

/* clang-format off */
static const struct family FAMILIES[METRIC_COUNT] = {
    [METRIC_STARTED]               = {"saga_started_total", "Sagas started.", COUNTER, {"definition"}, NO_BUCKETS},
    [METRIC_FINISHED]              = {"saga_finished_total", "Sagas that reached an end.", COUNTER, {"definition", "outcome"}, NO_BUCKETS},
    [METRIC_DURATION_SECONDS]      = {"saga_duration_seconds", "From start to end.", HISTOGRAM, {"definition", "outcome"}, SECONDS},
    [METRIC_ACTIVE]                = {"saga_active", "Open sagas by state.", GAUGE, {"definition", "state"}, NO_BUCKETS},
    [METRIC_ATTENTION]             = {"saga_attention", "Open sagas that want attention.", GAUGE, {"reason"}, NO_BUCKETS},
    [METRIC_STEP_ATTEMPTS]         = {"saga_step_attempts_total", "Attempts by what came of them.", COUNTER, {"definition", "step", "outcome"}, NO_BUCKETS},
    [METRIC_STEP_DURATION_SECONDS] = {"saga_step_duration_seconds", "From the first sending to the final reply.", HISTOGRAM, {"definition", "step", "op"}, SECONDS},
    [METRIC_SCHEDULE_LAG_SECONDS]  = {"saga_schedule_lag_seconds", "From due to dispatched.", HISTOGRAM, {NULL}, SECONDS},
    [METRIC_CRON_FIRINGS]          = {"saga_cron_firings_total", "Times of schedules by what became of them.", COUNTER, {"result"}, NO_BUCKETS},
    [METRIC_CRON_DELAY_SECONDS]    = {"saga_cron_delay_seconds", "From a schedule's time to the start of its saga.", HISTOGRAM, {NULL}, SECONDS},
    [METRIC_OUTBOX_PENDING]        = {"saga_outbox_pending", "Sagas with committed commands that the broker has not taken.", GAUGE, {NULL}, NO_BUCKETS},
    [METRIC_OUTBOX_OLDEST_SECONDS] = {"saga_outbox_oldest_seconds", "Age of the oldest of them.", GAUGE, {NULL}, NO_BUCKETS},
    [METRIC_REPLIES]               = {"saga_replies_total", "Replies by result.", COUNTER, {"result"}, NO_BUCKETS},
    [METRIC_SIGNALS]               = {"saga_signals_total", "Signals from Kafka by result.", COUNTER, {"result"}, NO_BUCKETS},
    [METRIC_TIMERS_PENDING]        = {"saga_timers_pending", "Timers that this node holds.", GAUGE, {NULL}, NO_BUCKETS},
    [METRIC_TOPIC_LAG]             = {"saga_topic_lag", "Commands that no participant has read.", GAUGE, {"topic"}, NO_BUCKETS},
    [METRIC_TOPIC_PARTICIPANTS]    = {"saga_topic_participants", "1 where a participant group reads the topic.", GAUGE, {"topic"}, NO_BUCKETS},
    [METRIC_TOPIC_PAUSED]          = {"saga_topic_paused", "1 where sending to the topic is paused.", GAUGE, {"topic"}, NO_BUCKETS},
    [METRIC_COMPENSATION_STUCK]    = {"saga_compensation_stuck", "Sagas stuck while undoing.", GAUGE, {"definition"}, NO_BUCKETS},
    [METRIC_HTTP_REQUESTS]         = {"saga_http_requests_total", "HTTP requests.", COUNTER, {"route", "code"}, NO_BUCKETS},
    [METRIC_HTTP_DURATION_SECONDS] = {"saga_http_request_duration_seconds", "HTTP requests.", HISTOGRAM, {"route"}, SECONDS},
    [METRIC_PG_QUERY_SECONDS]      = {"saga_pg_query_duration_seconds", "Round trips to PostgreSQL.", HISTOGRAM, {"query"}, SECONDS},
    [METRIC_KAFKA_PRODUCE_FAILURES]= {"saga_kafka_produce_failures_total", "Commands that the broker did not take.", COUNTER, {"topic"}, NO_BUCKETS},
    [METRIC_BATCH_EVENTS]          = {"saga_batch_events", "Events in one commit.", HISTOGRAM, {NULL}, COUNTS},
    [METRIC_BUILD_INFO]            = {"saga_build_info", "Always 1.", GAUGE, {"version", "commit"}, NO_BUCKETS},
};
/* clang-format on */

static const char *const KIND_NAMES[] = {"counter", "gauge", "histogram"};

struct series {
    enum metric metric;
    char label[METRIC_LABELS_MAX][LABEL_SIZE_MAX];
    double value; /* counter, gauge; histogram: sum */
    uint64_t bucket[BUCKETS_MAX + 1];
    struct series *next_in_slot;
    struct series *next_in_family;
};

static struct {
    pthread_mutex_t lock; /* guards all of it */
    struct series *slots[SLOTS];
    struct series *families[METRIC_COUNT];
    size_t counts[METRIC_COUNT];
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t hash_of(enum metric metric, const char *const labels[METRIC_LABELS_MAX])
{
    uint32_t hash = 2166136261U ^ (uint32_t)metric;
    for (int i = 0; i < METRIC_LABELS_MAX; i++) {
        for (const char *c = labels[i]; c != NULL && *c != '\0'; c++) {
            hash = (hash ^ (uint8_t)*c) * 16777619U;
        }
        hash = (hash ^ 0xffU) * 16777619U;
    }
    return hash % SLOTS;
}

static bool is_same(const struct series *series, enum metric metric,
                    const char *const labels[METRIC_LABELS_MAX])
{
    if (series->metric != metric) return false;
    for (int i = 0; i < METRIC_LABELS_MAX; i++) {
        const char *label = labels[i] == NULL ? "" : labels[i];
        if (strncmp(series->label[i], label, LABEL_SIZE_MAX - 1) != 0) return false;
    }
    return true;
}

static struct series *look_up(enum metric metric, const char *const labels[METRIC_LABELS_MAX])
{
    struct series *series = registry.slots[hash_of(metric, labels)];
    while (series != NULL && !is_same(series, metric, labels)) {
        series = series->next_in_slot;
    }
    return series;
}

static struct series *make(enum metric metric, const char *const labels[METRIC_LABELS_MAX])
{
    const uint32_t slot = hash_of(metric, labels);
    struct series *series = calloc(1, sizeof *series);
    if (series == NULL) abort();
    series->metric = metric;
    for (int i = 0; i < METRIC_LABELS_MAX; i++) {
        if (labels[i] == NULL || FAMILIES[metric].labels[i] == NULL) continue;
        (void)snprintf(series->label[i], LABEL_SIZE_MAX, "%s", labels[i]);
    }
    series->next_in_slot = registry.slots[slot];
    registry.slots[slot] = series;
    series->next_in_family = registry.families[metric];
    registry.families[metric] = series;
    registry.counts[metric]++;
    return series;
}

static struct series *find(enum metric metric, const char *const labels[METRIC_LABELS_MAX])
{
    /* As many as the metric has: an unused label is empty in every series. */
    static const char *const OTHER[METRIC_LABELS_MAX] = {"other", "other", "other"};
    const char *other[METRIC_LABELS_MAX] = {NULL};
    struct series *series = look_up(metric, labels);
    if (series != NULL) return series;
    if (registry.counts[metric] < METRIC_SERIES_MAX) return make(metric, labels);
    for (int i = 0; i < METRIC_LABELS_MAX; i++) {
        if (FAMILIES[metric].labels[i] != NULL) other[i] = OTHER[i];
    }
    series = look_up(metric, other);
    return series != NULL ? series : make(metric, other);
}

void metrics_add(enum metric metric, double value, const char *first, const char *second,
                 const char *third)
{
    const char *const labels[METRIC_LABELS_MAX] = {first, second, third};
    pthread_mutex_lock(&registry.lock);
    find(metric, labels)->value += value;
    pthread_mutex_unlock(&registry.lock);
}

void metrics_set(enum metric metric, double value, const char *first, const char *second,
                 const char *third)
{
    const char *const labels[METRIC_LABELS_MAX] = {first, second, third};
    pthread_mutex_lock(&registry.lock);
    find(metric, labels)->value = value;
    pthread_mutex_unlock(&registry.lock);
}

void metrics_observe(enum metric metric, double value, const char *first, const char *second,
                     const char *third)
{
    const char *const labels[METRIC_LABELS_MAX] = {first, second, third};
    const struct family *family = &FAMILIES[metric];
    size_t bucket = 0;
    while (bucket < family->bucket_count && value > family->buckets[bucket]) {
        bucket++;
    }
    pthread_mutex_lock(&registry.lock);
    struct series *series = find(metric, labels);
    series->value += value;
    series->bucket[bucket]++;
    pthread_mutex_unlock(&registry.lock);
}

static void unlink_from_slot(struct series *series)
{
    const char *labels[METRIC_LABELS_MAX];
    for (int i = 0; i < METRIC_LABELS_MAX; i++) {
        labels[i] = series->label[i];
    }
    struct series **link = &registry.slots[hash_of(series->metric, labels)];
    while (*link != NULL && *link != series) {
        link = &(*link)->next_in_slot;
    }
    if (*link != NULL) *link = series->next_in_slot;
}

void metrics_clear(enum metric metric)
{
    pthread_mutex_lock(&registry.lock);
    while (registry.families[metric] != NULL) {
        struct series *series = registry.families[metric];
        registry.families[metric] = series->next_in_family;
        unlink_from_slot(series);
        free(series);
    }
    registry.counts[metric] = 0;
    pthread_mutex_unlock(&registry.lock);
}

/* ---- text ---- */

static void add_label_value(struct buffer *buffer, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') buffer_add_char(buffer, '\\');
        const char shown = *value;
        if (shown == '\n') {
            buffer_add_char(buffer, ' ');
        } else {
            buffer_add_char(buffer, shown);
        }
    }
}

static void add_labels(struct buffer *buffer, const struct series *series, const char *le)
{
    const struct family *family = &FAMILIES[series->metric];
    const char *separator = "{";
    for (int i = 0; i < METRIC_LABELS_MAX && family->labels[i] != NULL; i++) {
        buffer_add_format(buffer, "%s%s=\"", separator, family->labels[i]);
        add_label_value(buffer, series->label[i]);
        buffer_add_char(buffer, '"');
        separator = ",";
    }
    if (le != NULL) {
        buffer_add_format(buffer, "%sle=\"%s\"", separator, le);
        separator = ",";
    }
    if (*separator == ',') buffer_add_char(buffer, '}');
}

static void add_histogram(struct buffer *buffer, const struct series *series)
{
    const struct family *family = &FAMILIES[series->metric];
    uint64_t total = 0;
    for (size_t i = 0; i <= family->bucket_count; i++) {
        char le[32] = "+Inf";
        if (i < family->bucket_count) (void)snprintf(le, sizeof le, "%g", family->buckets[i]);
        total += series->bucket[i];
        buffer_add_format(buffer, "%s_bucket", family->name);
        add_labels(buffer, series, le);
        buffer_add_format(buffer, " %llu\n", (unsigned long long)total);
    }
    buffer_add_format(buffer, "%s_sum", family->name);
    add_labels(buffer, series, NULL);
    buffer_add_format(buffer, " %.9g\n%s_count", series->value, family->name);
    add_labels(buffer, series, NULL);
    buffer_add_format(buffer, " %llu\n", (unsigned long long)total);
}

static void add_family(struct buffer *buffer, enum metric metric)
{
    const struct family *family = &FAMILIES[metric];
    buffer_add_format(buffer, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
                      family->name, KIND_NAMES[family->kind]);
    for (const struct series *series = registry.families[metric]; series != NULL;
         series = series->next_in_family) {
        if (family->kind == HISTOGRAM) {
            add_histogram(buffer, series);
            continue;
        }
        buffer_add_text(buffer, family->name);
        add_labels(buffer, series, NULL);
        buffer_add_format(buffer, " %.15g\n", series->value);
    }
}

void metrics_render(struct buffer *buffer)
{
    pthread_mutex_lock(&registry.lock);
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        add_family(buffer, (enum metric)metric);
    }
    pthread_mutex_unlock(&registry.lock);
}
