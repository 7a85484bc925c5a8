/*
 * orchestrator/telemetry/metrics.h
 *   Counters, gauges and histograms in Prometheus' text format.
 *
 * Names and labels are one table (metrics.c). Thread-safe. A metric keeps at most
 * METRIC_SERIES_MAX label sets; what comes after is counted under `other`. Never a saga id in a
 * label.
 */
#ifndef ORCHESTRATOR_TELEMETRY_METRICS_H
#define ORCHESTRATOR_TELEMETRY_METRICS_H

#include "sagas/base/bytes.h"

#include <stdint.h>

enum { METRIC_SERIES_MAX = 1000, METRIC_LABELS_MAX = 3 };

enum metric {                                /* kind, labels */
              METRIC_STARTED,                /* counter: definition */
              METRIC_FINISHED,               /* counter: definition, outcome */
              METRIC_DURATION_SECONDS,       /* histogram: definition, outcome */
              METRIC_ACTIVE,                 /* gauge: definition, state */
              METRIC_ATTENTION,              /* gauge: reason */
              METRIC_STEP_ATTEMPTS,          /* counter: definition, step, outcome */
              METRIC_STEP_DURATION_SECONDS,  /* histogram: definition, step, op */
              METRIC_SCHEDULE_LAG_SECONDS,   /* histogram */
              METRIC_CRON_FIRINGS,           /* counter: result */
              METRIC_CRON_DELAY_SECONDS,     /* histogram */
              METRIC_OUTBOX_PENDING,         /* gauge */
              METRIC_OUTBOX_OLDEST_SECONDS,  /* gauge */
              METRIC_REPLIES,                /* counter: result */
              METRIC_SIGNALS,                /* counter: result */
              METRIC_TIMERS_PENDING,         /* gauge */
              METRIC_TOPIC_LAG,              /* gauge: topic */
              METRIC_TOPIC_PARTICIPANTS,     /* gauge: topic */
              METRIC_TOPIC_PAUSED,           /* gauge: topic */
              METRIC_COMPENSATION_STUCK,     /* gauge: definition */
              METRIC_HTTP_REQUESTS,          /* counter: route, code */
              METRIC_HTTP_DURATION_SECONDS,  /* histogram: route */
              METRIC_PG_QUERY_SECONDS,       /* histogram: query */
              METRIC_KAFKA_PRODUCE_FAILURES, /* counter: topic */
              METRIC_BATCH_EVENTS,           /* histogram (saga_batch_events): events a commit */
              METRIC_BUILD_INFO,             /* gauge 1: version, commit */
              METRIC_COUNT,
};

/* Unused labels are NULL. */
void metrics_add(enum metric metric, double value, const char *first, const char *second,
                 const char *third);
void metrics_set(enum metric metric, double value, const char *first, const char *second,
                 const char *third);
void metrics_observe(enum metric metric, double value, const char *first, const char *second,
                     const char *third);
/* Gauges with this metric go back to no series (before they are set anew). */
void metrics_clear(enum metric metric);
void metrics_render(struct buffer *buffer);

#endif
