/*
 * Signals: each one counts once, and is kept until a step waits for it.
 *
 * A signal is first kept and then delivered, so that it makes no difference which of the two came
 * sooner, the signal or the wait.
 */
#include "sagas/machine/turn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- what is remembered ---- */

void make_room_for_signals(struct saga *saga, uint32_t count)
{
    if (count <= saga->signal_room) return;
    const uint32_t room = count < 4 ? 4 : count * 2;
    struct signal *const more = arena_array(saga->arena, room, sizeof(*more));
    if (saga->signal_count > 0) {
        memcpy(more, saga->signals, saga->signal_count * sizeof(*more));
    }
    saga->signals = more;
    saga->signal_room = room;
}

static bool is_known(const struct saga *saga, const struct event *event)
{
    for (uint32_t i = 0; i < saga->signal_count && event->key.data != NULL; i++) {
        const struct signal *const signal = &saga->signals[i];
        if (signal->has_key && memcmp(signal->key, event->key_digest, SIGNAL_KEY_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

static void keep_signal(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    const struct event *const event = turn->event;
    make_room_for_signals(saga, saga->signal_count + 1);
    struct signal *const signal = &saga->signals[saga->signal_count++];
    *signal = (struct signal){
        .name = bytes_copy(saga->arena, event->name),
        .has_key = event->key.data != NULL,
    };
    memcpy(signal->key, event->key_digest, SIGNAL_KEY_SIZE);
    if (event->payload.size == 0) return;
    signal->payload = bytes_copy(saga->arena, event->payload);
    signal->seq = turn->decision->history_first_seq;
    turn->decision->payload = signal->payload;
}

/* Its key stays, so that the same signal is known when it comes again. */
static void forget_signal(struct saga *saga, uint32_t at)
{
    struct signal *const signal = &saga->signals[at];
    if (signal->has_key) {
        signal->name = signal->payload = (struct bytes){0};
        signal->seq = 0;
        return;
    }
    saga->signal_count--;
    memmove(signal, signal + 1, (saga->signal_count - at) * sizeof(*signal));
}

/* ---- who takes it ---- */

static bool find_waiting(const struct saga *saga, struct bytes name, struct run_ref *ret_ref)
{
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        *ret_ref = walk.ref;
        if (run_only_waits(ret_ref) && ret_ref->step->kind == STEP_SIGNAL &&
            bytes_equal(ret_ref->step->signal->name, name)) {
            return true;
        }
    }
    return false;
}

static void deliver(struct turn *turn, const struct run_ref *ref, const struct signal *signal)
{
    ref->run->output = signal->payload;
    ref->run->output_seq = signal->seq;
    run_end_wait(turn, ref, &(struct detail){.name = ref->step->signal->name});
}

void deliver_signals(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    for (uint32_t i = 0; i < saga->signal_count;) {
        struct run_ref ref;
        const struct signal *const signal = &saga->signals[i];
        if (signal->name.data == NULL || !find_waiting(saga, signal->name, &ref)) {
            i++;
            continue;
        }
        deliver(turn, &ref, signal);
        forget_signal(saga, i); /* the next one may be in its place now, or this one be skipped */
    }
}

/* ---- the event ---- */

__attribute__((format(printf, 2, 3))) static enum verdict refuse(struct turn *turn,
                                                                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(turn->decision->why, sizeof(turn->decision->why), format, args);
    va_end(args);
    return VERDICT_ILLEGAL;
}

bool saga_takes_signals(const struct saga *saga)
{
    return saga->revision > 0 && !saga_is_finished(saga->state) &&
           saga_direction(saga) != SAGA_COMPENSATING;
}

bool saga_signal_fits(const struct definition *definition, struct bytes name, struct bytes payload,
                      struct arena *arena, struct schema_report *ret_report)
{
    for (size_t i = 0; i < definition->step_count; i++) {
        const struct signal_wait *const signal = definition->steps[i].signal;
        if (signal == NULL || signal->schema == NULL || !bytes_equal(signal->name, name)) continue;
        if (!schema_check_text(signal->schema, payload, arena, ret_report)) return false;
    }
    return true;
}

static enum verdict refuse_payload(struct turn *turn, const struct schema_report *report)
{
    enum { SHOWN_SIZE_MAX = 120 };
    const struct bytes text =
        cut_text(fault_text("its payload", report, turn->context->arena), SHOWN_SIZE_MAX);
    return refuse(turn, "signal is not allowed: %.*s.", (int)text.size, text.data);
}

enum verdict take_signal(struct turn *turn)
{
    const struct saga *const saga = turn->saga;
    const struct event *const event = turn->event;
    struct run_ref ref;
    if (!definition_waits_for(saga->definition, event->name)) return VERDICT_UNKNOWN;
    if (is_known(saga, event)) return VERDICT_DUPLICATE;
    if (!saga_takes_signals(saga)) {
        return refuse(turn, "signal is not allowed: the saga is %s and takes none any more.",
                      saga->revision == 0 ? "not started" : saga_state_name(saga->state));
    }
    struct schema_report report;
    if (!saga_signal_fits(saga->definition, event->name, event->payload, turn->context->arena,
                          &report)) {
        return refuse_payload(turn, &report);
    }
    const bool waits = find_waiting(saga, event->name, &ref);
    if (saga->signal_count >= SIGNALS_MAX && (event->key.data != NULL || !waits)) {
        return refuse(turn, "signal is not allowed: the saga remembers %d signals already.",
                      SIGNALS_MAX);
    }
    record(turn, "step.signal_received", waits ? &ref : NULL,
           &(struct detail){
               .name = event->name, .key = event->key, .reason = event->reason, .by_actor = true});
    keep_signal(turn);
    turn->changed = true;
    return VERDICT_APPLIED;
}
