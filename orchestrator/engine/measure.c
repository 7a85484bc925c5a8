/*
 * orchestrator/engine/measure.c
 *   What is counted of a batch, once it is durable: a batch that is decided again counts once.
 */
#include "orchestrator/engine/batch.h"

#include "orchestrator/engine/flow.h"
#include "orchestrator/telemetry/metrics.h"

#include <string.h>

static const char *const OUTCOMES[] = {"success", "failure", "retry", "progress", "pending"};

static void note(struct batch *batch, const struct measured *measured)
{
    batch->measured = batch_grow(batch, batch->measured, batch->measured_count,
                                 &batch->measured_room, sizeof *batch->measured);
    batch->measured[batch->measured_count++] = *measured;
}

void batch_note_reply(struct batch *batch, const struct saga *saga, const struct event *event)
{
    if (event->outcome == OUTCOME_PROGRESS || event->outcome == OUTCOME_PENDING) return;
    struct measured measured = {
        .definition = saga->definition,
        .step = &saga->definition->steps[event->step],
        .outcome = OUTCOMES[event->outcome],
        .op = event->op,
        .took_ms = -1,
    };
    const struct step_runs *runs = &saga->steps[event->step];
    const uint32_t at = event->index == INDEX_NONE ? 0 : (uint32_t)event->index;
    if (at < runs->count) measured.sent_at_ms = runs->run[at].sent_at_ms;
    if (event->outcome == OUTCOME_SUCCESS && at < runs->count) {
        const struct step_run *run = &runs->run[at];
        /* Answered by a probe, the step has taken all the time since it began. */
        const int64_t since_ms =
            run->first_sent_at_ms > 0 ? run->first_sent_at_ms : run->started_at_ms;
        measured.took_ms = run->finished_at_ms - since_ms;
    }
    note(batch, &measured);
}

struct ending {
    size_t step;
    uint32_t index;
    enum op op;
    int64_t deadline_at_ms, sent_at_ms;
};

struct endings batch_endings(struct batch *batch, const struct saga *saga)
{
    struct endings endings = {0};
    size_t room = 0;
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        for (uint32_t k = 0; k < saga->steps[i].count; k++) {
            const struct step_run *run = &saga->steps[i].run[k];
            const int64_t at_ms = run->deadline_at_ms;
            /* The end of a delay, or a signal that did not come, is no attempt. */
            if (run->op == OP_ACTION && step_only_waits(&saga->definition->steps[i])) continue;
            if (at_ms == 0 || at_ms > batch->now_ms) continue;
            endings.ending =
                batch_grow(batch, endings.ending, endings.count, &room, sizeof *endings.ending);
            endings.ending[endings.count++] = (struct ending){
                .step = i,
                .index = k,
                .op = run->op,
                .deadline_at_ms = at_ms,
                .sent_at_ms = run->sent_at_ms,
            };
        }
    }
    return endings;
}

void batch_mark_unread(struct batch *batch, struct saga *saga, const struct endings *endings)
{
    bool unread = false;
    for (size_t i = 0; i < endings->count; i++) {
        const struct ending *ending = &endings->ending[i];
        const struct step *step = &saga->definition->steps[ending->step];
        struct topic *topic =
            topics_find(batch->worker->engine->topics, saga_send_of(step, ending->op)->topic);
        unread = unread || (topic != NULL && flow_is_unread(topic));
    }
    if (unread && !saga_is_finished(saga->state)) {
        saga->attention |= ATTENTION_NO_HANDLER;
    } else {
        saga->attention &= ~(uint32_t)ATTENTION_NO_HANDLER;
    }
}

void batch_note_timeouts(struct batch *batch, const struct saga *saga,
                         const struct endings *endings)
{
    for (size_t i = 0; i < endings->count; i++) {
        const struct ending *ending = &endings->ending[i];
        const struct step_runs *runs = &saga->steps[ending->step];
        if (ending->index >= runs->count) continue;
        if (runs->run[ending->index].deadline_at_ms == ending->deadline_at_ms) continue;
        note(batch, &(struct measured){.definition = saga->definition,
                                       .step = &saga->definition->steps[ending->step],
                                       .outcome = "timeout",
                                       .op = ending->op,
                                       .took_ms = -1,
                                       .sent_at_ms = ending->sent_at_ms});
    }
}

static void measure_saga(struct engine *engine, const struct cached *cached)
{
    const struct saga *saga = cached->saga;
    const char *name = saga->definition->name.data;
    if (cached->fresh) {
        metrics_add(METRIC_STARTED, 1, name, NULL, NULL);
        caps_opened(engine->caps, saga->definition->name);
    }
    if (!saga_is_finished(saga->state) || saga->finished_at_ms != saga->updated_at_ms) return;
    if (cached->stored_revision == saga->revision) return; /* it had ended before */
    caps_closed(engine->caps, saga->definition->name);
    const char *outcome = saga_state_name(saga->state);
    metrics_add(METRIC_FINISHED, 1, name, outcome, NULL);
    metrics_observe(METRIC_DURATION_SECONDS,
                    (double)(saga->finished_at_ms - saga->created_at_ms) / 1000, name, outcome,
                    NULL);
}

/* A refusal is good news of a topic: somebody works there. */
static void tell_topic(const struct batch *batch, const struct measured *measured)
{
    const struct send *send = saga_send_of(measured->step, measured->op);
    struct topic *topic = topics_find(batch->worker->engine->topics, send->topic);
    if (topic == NULL) return;
    const enum answer_kind kind = strcmp(measured->outcome, "timeout") == 0 ? ANSWER_NONE
                                  : strcmp(measured->outcome, "retry") == 0 ? ANSWER_RETRY
                                                                            : ANSWER_GOOD;
    flow_note_answer(topic, kind, measured->sent_at_ms, batch->now_ms, (int64_t)send->timeout_ms);
}

static void measure_step(const struct measured *measured)
{
    const char *name = measured->definition->name.data;
    const char *step = measured->step->id.data;
    metrics_add(METRIC_STEP_ATTEMPTS, 1, name, step, measured->outcome);
    if (measured->took_ms < 0) return;
    metrics_observe(METRIC_STEP_DURATION_SECONDS, (double)measured->took_ms / 1000, name, step,
                    op_name(measured->op));
}

void batch_measure(const struct batch *batch)
{
    for (size_t i = 0; i < batch->touched_count; i++) {
        measure_saga(batch->worker->engine, batch->touched[i]);
    }
    for (size_t i = 0; i < batch->measured_count; i++) {
        measure_step(&batch->measured[i]);
        tell_topic(batch, &batch->measured[i]);
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct work *work = batch->works[i];
        if (work->result != NULL) {
            const bool is_signal = work->kind == WORK_RECORD && work->inbound->is_signal;
            metrics_add(is_signal ? METRIC_SIGNALS : METRIC_REPLIES, 1, work->result, NULL, NULL);
        }
        if (work->lag_ms >= 0) {
            metrics_observe(METRIC_SCHEDULE_LAG_SECONDS, (double)work->lag_ms / 1000, NULL, NULL,
                            NULL);
        }
    }
    metrics_observe(METRIC_BATCH_EVENTS, (double)batch->count, NULL, NULL, NULL);
}
