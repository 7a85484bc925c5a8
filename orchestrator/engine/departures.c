/*
 * orchestrator/engine/departures.c
 *   The way out of a batch: commands to the bus, or into a line to wait for their topic.
 */
#include "orchestrator/engine/batch.h"

#include "orchestrator/engine/flow.h"

#include <stdio.h>

static bool hand_to_bus(struct batch *batch, const struct outgoing *outgoing)
{
    struct engine *engine = batch->worker->engine;
    const struct saga *saga = outgoing->cached->saga;
    char definition[IDENT_SIZE_MAX + 16];
    const int size = snprintf(definition, sizeof definition, "%s/%u", saga->definition->name.data,
                              saga->definition->version);
    const struct bus_saga about = {
        .definition = {definition, (size_t)size},
        .trace = saga->trace,
        .trace_state = saga->trace_state,
        .now_ms = batch->now_ms,
    };
    /* What the bus takes while no broker answers would be given back half a minute later. */
    return !atomic_load(&engine->broker_lost) &&
           bus_send_command(engine->bus, &outgoing->command, &about);
}

/* ---- urgency ---- */

static bool has_done_something(const struct saga *saga)
{
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        for (uint32_t k = 0; k < saga->steps[i].count; k++) {
            if (saga->steps[i].run[k].state == STEP_SUCCEEDED) return true;
        }
    }
    return false;
}

static enum line line_of(const struct saga *saga, enum op op, uint32_t attempt)
{
    const enum line retry = attempt > 1 ? 1 : 0;
    if (op == OP_COMPENSATE) return LINE_UNDO + retry;
    if (op == OP_PROBE || has_done_something(saga)) return LINE_IN_FLIGHT + retry;
    return LINE_START + retry;
}

static int64_t sent_at_ms(const struct outgoing *outgoing)
{
    const struct command *command = &outgoing->command;
    const struct step_runs *runs = &outgoing->cached->saga->steps[command->step->position];
    const uint32_t at = command->index == INDEX_NONE ? 0 : (uint32_t)command->index;
    return at < runs->count ? runs->run[at].sent_at_ms : 0;
}

/* False: it waits. */
static bool may_leave(struct batch *batch, const struct outgoing *outgoing)
{
    struct engine *engine = batch->worker->engine;
    const struct command *command = &outgoing->command;
    struct topic *topic = topics_note(engine->topics, command->send->topic);
    if (topic == NULL) return true;
    const bool first = command->attempt == 1 && !command->again;
    if (flow_is_free(topic)) {
        flow_count_sent(topic, sent_at_ms(outgoing), first);
        return true;
    }
    const struct departure departure = {
        .topic = topic,
        .line = line_of(outgoing->cached->saga, command->op, command->attempt),
        .sent_at_ms = sent_at_ms(outgoing),
        .first = first,
        .granted = outgoing->granted,
        .urged = outgoing->urged,
    };
    if (flow_may_leave(engine, &departure)) return true;
    flow_hold(engine, topic, &outgoing->cached->id, departure.line);
    return false;
}

void batch_send(struct batch *batch, const struct outgoing *outgoing)
{
    if (!may_leave(batch, outgoing)) return;
    if (hand_to_bus(batch, outgoing)) return;
    struct engine *engine = batch->worker->engine;
    struct topic *topic = topics_find(engine->topics, outgoing->command.send->topic);
    if (topic != NULL) flow_take_back(topic, sent_at_ms(outgoing));
    outbox_add(engine->outbox, &outgoing->cached->id);
}

void batch_let_go(struct batch *batch, const struct work *work)
{
    if (work->topic == NULL) return;
    waiting_done(batch->worker->engine->waiting, work->topic->number, &work->saga_id);
    atomic_fetch_sub(&work->topic->taken, 1);
}

/* ---- what does not fall due ---- */

static void add_name(struct batch *batch, struct held_topics *held, size_t *room, struct bytes name)
{
    for (size_t i = 0; i < held->count; i++) {
        if (bytes_equal(held->name[i], name)) return;
    }
    held->name = batch_grow(batch, held->name, held->count, room, sizeof *held->name);
    held->name[held->count++] = name;
}

/*
 * A command that waits in a line, or that is due while its topic stands. What was sent since the
 * circuit is half open and has not been answered tells that nothing is better yet.
 */
static bool holds(struct batch *batch, const struct saga *saga, const struct step *step,
                  const struct step_run *run)
{
    struct engine *engine = batch->worker->engine;
    struct topic *topic = topics_find(engine->topics, saga_send_of(step, run->op)->topic);
    if (topic == NULL) return false;
    if (waiting_has(engine->waiting, topic->number, &saga->id)) return true;
    if (!flow_stands(topic)) return false;
    if (atomic_load(&topic->circuit) == CIRCUIT_HALF_OPEN &&
        run->sent_at_ms >= atomic_load(&topic->circuit_since_ms)) {
        flow_note_answer(topic, ANSWER_NONE, run->sent_at_ms, batch->now_ms, 0);
    }
    waiting_add_again(engine->waiting, topic->number, &saga->id,
                      line_of(saga, run->op, run->attempt));
    return true;
}

struct held_topics batch_held_topics(struct batch *batch, const struct saga *saga)
{
    struct held_topics held = {0};
    size_t room = 0;
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct step *step = &saga->definition->steps[i];
        for (uint32_t k = 0; k < saga->steps[i].count; k++) {
            const struct step_run *run = &saga->steps[i].run[k];
            const bool due = run->deadline_at_ms != 0 && run->deadline_at_ms <= batch->now_ms;
            if (!due || (run->op == OP_ACTION && step_only_waits(step))) continue;
            if (!holds(batch, saga, step, run)) continue;
            add_name(batch, &held, &room, saga_send_of(step, run->op)->topic);
        }
    }
    return held;
}
