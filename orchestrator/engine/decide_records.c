/*
 * orchestrator/engine/decide_records.c
 *   What Kafka brought: replies and signals. What cannot be carried out becomes a dead letter, so
 *   that every record is applied, ignored as a known one, or there to be looked at.
 */
#include "orchestrator/engine/batch.h"

#include "orchestrator/base/log.h"
#include "orchestrator/bus/record.h"

#include <string.h>

void batch_add_dead_letter(struct batch *batch, const struct work *work, const char *reason)
{
    const struct bus_record *record = &work->inbound->record;
    batch->dead_letters[batch->dead_letter_count++] = (struct dead_letter_write){
        .topic = record->topic,
        .partition = record->partition,
        .offset = record->offset,
        .at_ms =
            record->at_ms > 0 ? record->at_ms : batch->now_ms, /* the same when it comes again */
        .reason = reason,
        .key = record->key,
        .headers = record_headers_json(record, &batch->worker->arena),
        .value = record->value,
    };
}

/* ---- replies ---- */

enum verdict batch_decide_reply(struct batch *batch, const struct token *token,
                                const struct event *given, struct cached **ret_cached)
{
    struct cached *cached = cache_find(batch->worker->cache, &token->saga_id);
    if (cached == NULL) return VERDICT_UNKNOWN;
    struct event event = *given;
    event.step = definition_find_step(cached->saga->definition, bytes_of(token->step_id));
    event.index = token->index;
    event.op = token->op;
    event.attempt = token->attempt;
    if (event.step < 0) return VERDICT_UNKNOWN;
    struct decision decision;
    batch_decide_event(batch, cached, &event, &decision);
    *ret_cached = cached;
    if (decision.verdict == VERDICT_APPLIED && event.kind == EVENT_REPLY) {
        batch_note_reply(batch, cached->saga, &event);
        cached->saga->attention &= ~(uint32_t)ATTENTION_NO_HANDLER; /* somebody is there */
    }
    if (decision.verdict == VERDICT_UNKNOWN && cached->loaded_in != batch->worker->batch_number) {
        /* Nothing is written of it, so no commit would find out that another node knows more. */
        batch->stale = true;
        batch_touch(batch, cached);
    }
    return decision.verdict;
}

static const char *decide_reply(struct batch *batch, struct work *work)
{
    const struct inbound *inbound = work->inbound;
    if (inbound->result == REPLY_FORGED) return "forged";
    const enum verdict verdict =
        batch_decide_reply(batch, &inbound->reply.token, &inbound->reply.event, &work->cached);
    return inbound->result == REPLY_MALFORMED ? "malformed" : verdict_name(verdict);
}

/* ---- signals ---- */

/* Of one that the rules refuse, which of them it was. */
static const char *signal_refusal(const struct batch *batch, const struct saga *saga,
                                  const struct event *event)
{
    struct schema_report report;
    if (!saga_takes_signals(saga)) return "too_late";
    if (!saga_signal_fits(saga->definition, event->name, event->payload, &batch->worker->arena,
                          &report)) {
        return "bad_payload";
    }
    return "too_many";
}

static const char *decide_signal(struct batch *batch, struct work *work)
{
    const struct signal_record *signal = &work->inbound->signal;
    if (signal->what != NULL) return "malformed";
    struct cached *cached = cache_find(batch->worker->cache, &signal->saga_id);
    if (cached == NULL) return "unknown";
    struct decision decision;
    batch_decide_event(batch, cached, &signal->event, &decision);
    work->cached = cached;
    if (decision.verdict == VERDICT_UNKNOWN) return "undeclared";
    if (decision.verdict != VERDICT_ILLEGAL) return verdict_name(decision.verdict);
    return signal_refusal(batch, cached->saga, &signal->event);
}

/* ---- both ---- */

/* Known ones, and replies that come too late, change nothing and are no mistake. */
static bool is_dead(const char *result)
{
    static const char *const REASONS[] = {"forged",   "malformed",   "unknown", "undeclared",
                                          "too_late", "bad_payload", "too_many"};
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++) {
        if (strcmp(result, REASONS[i]) == 0) return true;
    }
    return false;
}

void batch_decide_record(struct batch *batch, struct work *work)
{
    const struct inbound *inbound = work->inbound;
    const char *what = inbound->is_signal ? inbound->signal.what : inbound->reply.what;
    work->cached = NULL;
    work->result = inbound->is_signal ? decide_signal(batch, work) : decide_reply(batch, work);
    if (!is_dead(work->result)) return;
    batch_add_dead_letter(batch, work, work->result);
    log_event(LOG_WARNING, inbound->is_signal ? "signal_dead_letter" : "reply_dead_letter",
              "reason=%s partition=%d offset=%lld what=\"%s\"", work->result,
              inbound->record.partition, (long long)inbound->record.offset,
              what == NULL ? "" : what);
}
