/* One run: commands are handled in the order in which they were sent, then time goes on. */
#include "sagas/rehearsal/stage.h"

#include <assert.h>
#include <string.h>

/* What became of one key at its participant. */
struct effect {
    bool acted, undone;
};

struct effects {
    struct effect *item;
    uint32_t count;
};

struct sent {
    int step;
    int32_t index;
    enum op op;
    uint32_t attempt;
};

struct stage {
    const struct definition *definition;
    const struct rehearsal_plan *plan;
    struct rehearsal_run *run;
    struct arena *results;        /* outlive the run */
    struct arena memory, scratch; /* of the run; of one event */
    struct saga *saga;
    struct effects *effects; /* by position */
    struct sent *sent;       /* a queue */
    size_t sent_first, sent_count, sent_room;
    struct rehearsal_call *calls;
    size_t call_count, call_room;
    int64_t now_ms;
    uint64_t random;
    size_t events;
};

static void *more(struct arena *arena, void *old, size_t count, size_t *room, size_t size)
{
    if (count < *room) return old;
    *room = *room == 0 ? 16 : *room * 2;
    void *const bigger = arena_array(arena, *room, size);
    if (count > 0) memcpy(bigger, old, count * size);
    return bigger;
}

/* ---- the saga ---- */

static enum verdict tell(struct stage *stage, const struct event *event)
{
    struct decision decision;
    struct decide_context context = {
        .now_ms = stage->now_ms, .random = &stage->random, .arena = &stage->scratch};
    saga_decide(stage->saga, event, &context, &decision);
    stage->events++;
    for (size_t i = 0; i < decision.command_count; i++) {
        const struct command *const command = &decision.commands[i];
        stage->sent = more(&stage->memory, stage->sent, stage->sent_count, &stage->sent_room,
                           sizeof(*stage->sent));
        stage->sent[stage->sent_count++] =
            (struct sent){command->step->position, command->index, command->op, command->attempt};
    }
    arena_reset(&stage->scratch);
    return decision.verdict;
}

static bool start(struct stage *stage, struct expression_error *ret_error)
{
    struct saga *const saga = saga_new(&stage->memory, stage->definition);
    stage->saga = saga;
    saga->input = stage->plan->input.data == NULL ? BYTES("{}") : stage->plan->input;
    saga->labels = BYTES("{}");
    saga->created_at_ms = stage->now_ms;
    if (!saga_attributes(saga, &stage->memory, &saga->attributes, ret_error)) return false;
    (void)tell(stage, &(struct event){.kind = EVENT_START, .step = -1, .index = INDEX_NONE});
    /* Nobody else is on the stage: it is its turn at once. */
    if (saga->lock == LOCK_AWAITED) {
        (void)tell(stage, &(struct event){.kind = EVENT_GRANTED, .step = -1, .index = INDEX_NONE});
    }
    return true;
}

/* ---- participants ---- */

static struct effect *effect_of(struct stage *stage, int step, int32_t index)
{
    struct effects *const effects = &stage->effects[step];
    if (effects->item == NULL) {
        const uint32_t width = stage->saga->steps[step].count;
        const uint32_t count = width == 0 ? 1 : width;
        effects->item = arena_array(&stage->memory, count, sizeof(*effects->item));
        effects->count = count;
    }
    return &effects->item[index == INDEX_NONE ? 0 : index];
}

static const struct rehearsal_fault *fault_at(const struct rehearsal_run *run, int step,
                                              int32_t index, enum op op)
{
    if (index > 0) return NULL;
    for (size_t i = 0; i < run->fault_count; i++) {
        if (run->faults[i].step == step && run->faults[i].op == op) return &run->faults[i];
    }
    return NULL;
}

static struct bytes output_of(const struct stage *stage, int step)
{
    const struct json_view *const outputs = stage->plan->outputs;
    const struct json_view *const output =
        outputs == NULL ? NULL : json_view_member_bytes(outputs, stage->definition->steps[step].id);
    return output == NULL ? BYTES("{}") : output->text;
}

static struct rehearsal_call *find_call(const struct stage *stage, const struct sent *sent)
{
    for (size_t i = stage->call_count; i-- > 0;) {
        struct rehearsal_call *const call = &stage->calls[i];
        if (call->step == sent->step && call->index == sent->index && call->op == sent->op) {
            return call;
        }
    }
    return NULL;
}

static void note_call(struct stage *stage, const struct sent *sent, const char *answer)
{
    struct rehearsal_call *const known = find_call(stage, sent);
    if (known != NULL) {
        known->attempts++;
        known->answer = answer;
        return;
    }
    stage->calls = more(stage->results, stage->calls, stage->call_count, &stage->call_room,
                        sizeof(*stage->calls));
    stage->calls[stage->call_count++] =
        (struct rehearsal_call){sent->step, sent->index, sent->op, 1, answer};
}

static void reply(struct stage *stage, const struct sent *sent, enum outcome outcome)
{
    const bool has_output = outcome == OUTCOME_SUCCESS && sent->op != OP_COMPENSATE;
    const struct event event = {
        .kind = EVENT_REPLY,
        .step = sent->step,
        .index = sent->index,
        .op = sent->op,
        .attempt = sent->attempt,
        .outcome = outcome,
        .code = outcome == OUTCOME_FAILURE ? BYTES("refused") : (struct bytes){0},
        .payload = has_output ? output_of(stage, sent->step) : (struct bytes){0},
    };
    (void)tell(stage, &event);
    if (stage->run->twice) (void)tell(stage, &event);
}

/* What the participant answers that dedups by key; a probe is told whether the action happened. */
static enum outcome act(struct effect *effect, enum op op)
{
    switch (op) {
    case OP_ACTION:
        if (effect->undone) return OUTCOME_FAILURE;
        effect->acted = true;
        break;
    case OP_COMPENSATE: effect->undone = true; break;
    case OP_PROBE: return effect->acted ? OUTCOME_SUCCESS : OUTCOME_FAILURE;
    }
    return OUTCOME_SUCCESS;
}

static void handle(struct stage *stage, const struct sent *sent)
{
    const struct rehearsal_fault *const fault =
        fault_at(stage->run, sent->step, sent->index, sent->op);
    struct effect *const effect = effect_of(stage, sent->step, sent->index);
    if (fault == NULL) {
        const enum outcome outcome = act(effect, sent->op);
        note_call(stage, sent, outcome == OUTCOME_SUCCESS ? "success" : "failure");
        reply(stage, sent, outcome);
        return;
    }
    switch (fault->kind) {
    case FAULT_REFUSAL:
        note_call(stage, sent, "failure");
        reply(stage, sent, OUTCOME_FAILURE);
        return;
    case FAULT_NO_ANSWER: (void)act(effect, sent->op); break;
    case FAULT_NO_EFFECT: break;
    }
    note_call(stage, sent, "none");
}

/* ---- signals ---- */

static bool is_faulty(const struct stage *stage, int step, int32_t index)
{
    return fault_at(stage->run, step, index, OP_ACTION) != NULL;
}

/* The next run that waits for a signal, from that item of that step on. */
static bool find_wait(const struct stage *stage, int step, uint32_t item, struct sent *ret_wait)
{
    for (; step < stage->definition->step_count; step++, item = 0) {
        const struct step_runs *const runs = &stage->saga->steps[step];
        if (stage->definition->steps[step].kind != STEP_SIGNAL) continue;
        while (item < runs->count && runs->run[item].state != STEP_DISPATCHED) {
            item++;
        }
        if (item >= runs->count) continue;
        *ret_wait = (struct sent){step, runs->expanded ? (int32_t)item : INDEX_NONE, OP_ACTION, 1};
        return true;
    }
    return false;
}

/* The first signal that comes; one that never does is noted once, and its step left waiting. */
static bool find_signal(struct stage *stage, struct sent *ret_wait)
{
    int step = 0;
    uint32_t item = 0;
    while (find_wait(stage, step, item, ret_wait)) {
        if (!is_faulty(stage, ret_wait->step, ret_wait->index)) return true;
        if (find_call(stage, ret_wait) == NULL) note_call(stage, ret_wait, "none");
        step = ret_wait->step;
        item = ret_wait->index == INDEX_NONE ? 1 : (uint32_t)ret_wait->index + 1;
    }
    return false;
}

static void send_signal(struct stage *stage, const struct sent *wait)
{
    struct event event = {
        .kind = EVENT_SIGNAL,
        .step = -1,
        .index = INDEX_NONE,
        .name = stage->definition->steps[wait->step].signal->name,
        .payload = output_of(stage, wait->step),
        .key = BYTES("once"),
    };
    const int32_t which[] = {wait->step, wait->index};
    static_assert(sizeof(which) <= SIGNAL_KEY_SIZE, "each wait has its own key");
    memcpy(event.key_digest, which, sizeof(which));
    note_call(stage, wait, "success");
    (void)tell(stage, &event);
    if (stage->run->twice) (void)tell(stage, &event);
}

/* ---- time ---- */

/* False: nothing is out and nothing is due. */
static bool go_on(struct stage *stage)
{
    if (stage->sent_first < stage->sent_count) {
        const struct sent sent = stage->sent[stage->sent_first++];
        handle(stage, &sent);
        return true;
    }
    struct sent wait;
    if (find_signal(stage, &wait)) {
        send_signal(stage, &wait);
        return true;
    }
    const int64_t due_ms = saga_next_due_ms(stage->saga);
    if (due_ms == 0) return false;
    if (due_ms > stage->now_ms) stage->now_ms = due_ms;
    (void)tell(stage, &(struct event){.kind = EVENT_TIMER, .step = -1, .index = INDEX_NONE});
    return true;
}

/* ---- the end ---- */

/* " (money 120.10 EUR)" */
static void add_worth(const struct stage *stage, int step, uint32_t item, struct buffer *text)
{
    const struct step_effect *const declared = stage->definition->steps[step].effect;
    const struct run_effect *const worth = stage->saga->steps[step].run[item].effect;
    if (declared == NULL) return;
    buffer_add_text(text, " (");
    buffer_add_bytes(text, declared->kind);
    for (size_t i = 0; worth != NULL && i < 2; i++) {
        const struct bytes word = i == 0 ? worth->amount : worth->currency;
        if (word.data == NULL) continue;
        buffer_add_char(text, ' ');
        buffer_add_bytes(text, word);
    }
    buffer_add_char(text, ')');
}

static void complain(struct stage *stage, int step, uint32_t item, const char *what)
{
    const struct step *const at = &stage->definition->steps[step];
    struct buffer text = buffer_in(stage->results);
    if (stage->run->problem.data != NULL) return; /* the first is enough */
    buffer_add_text(&text, "step ");
    buffer_add_bytes(&text, at->id);
    if (at->foreach != NULL) buffer_add_format(&text, "[%u]", item);
    add_worth(stage, step, item, &text);
    buffer_add_char(&text, ' ');
    buffer_add_text(&text, what);
    stage->run->problem = buffer_bytes(&text);
}

static void judge_effect(struct stage *stage, int step, uint32_t item)
{
    const struct effect *const effect = &stage->effects[step].item[item];
    const struct step *const at = &stage->definition->steps[step];
    const bool succeeded = stage->saga->state == SAGA_SUCCEEDED;
    const bool is_unknown = stage->saga->steps[step].run[item].state == STEP_UNKNOWN;
    if (succeeded && effect->undone) {
        complain(stage, step, item, "is undone although the saga succeeds");
    }
    if (succeeded && effect->acted && is_unknown && at->effect != NULL) {
        complain(stage, step, item, "took effect, nobody knows it, and the saga succeeds");
    }
    /* Whoever declares an effect is not believed that there is nothing to undo. */
    if (!succeeded && effect->acted && !effect->undone &&
        (at->undo != UNDO_NOTHING || at->effect != NULL)) {
        complain(stage, step, item, "took effect, is not undone, and the saga ends all the same");
    }
}

static void judge(struct stage *stage)
{
    if (!saga_is_finished(stage->saga->state)) return;
    for (int i = 0; i < stage->definition->step_count; i++) {
        for (uint32_t k = 0; k < stage->effects[i].count; k++) {
            judge_effect(stage, i, k);
        }
    }
}

static enum rehearsal_end end_of(const struct stage *stage)
{
    if (saga_is_finished(stage->saga->state)) return REHEARSAL_ENDED;
    if (stage->events >= REHEARSAL_DECISIONS_MAX) return REHEARSAL_GOES_ON;
    return stage->saga->state == SAGA_STUCK ? REHEARSAL_STUCK : REHEARSAL_WAITS;
}

static void conclude(struct stage *stage)
{
    struct rehearsal_run *const run = stage->run;
    const struct saga *const saga = stage->saga;
    run->calls = stage->calls;
    run->call_count = stage->call_count;
    run->end = end_of(stage);
    run->state = saga->state;
    run->error_code = arena_copy(stage->results, saga->error.code, strlen(saga->error.code));
    run->error_detail = bytes_copy(stage->results, saga->error.detail);
    run->error_step = bytes_copy(stage->results, saga->error_step);
    judge(stage);
}

bool stage_play(const struct definition *definition, const struct rehearsal_plan *plan,
                struct rehearsal_run *run, struct arena *arena, size_t *events,
                struct expression_error *ret_error)
{
    struct stage stage = {
        .definition = definition,
        .plan = plan,
        .run = run,
        .results = arena,
        .now_ms = plan->now_ms,
    };
    stage.effects = arena_array(&stage.memory, definition->step_count, sizeof(*stage.effects));
    const bool started = start(&stage, ret_error);
    while (started && !saga_is_finished(stage.saga->state) &&
           stage.events < REHEARSAL_DECISIONS_MAX && go_on(&stage)) {
    }
    if (started) conclude(&stage);
    *events += stage.events;
    arena_done(&stage.memory);
    arena_done(&stage.scratch);
    return started;
}
