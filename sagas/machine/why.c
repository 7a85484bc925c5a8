#include "sagas/machine/why.h"

#include "sagas/machine/turn.h"

#include <inttypes.h>
#include <string.h>

enum { SHOWN_KEY_MAX = 100 };

/* ---- words ---- */

/* `12:00:03`, with its date when that is not today's. UTC. */
static void write_time(struct buffer *buffer, int64_t at_ms, int64_t now_ms)
{
    enum { DATE_AT = 1, DATE_SIZE = 10, CLOCK_AT = 12, CLOCK_SIZE = 8 };

    struct buffer at = buffer_in(buffer->arena);
    struct buffer now = buffer_in(buffer->arena);
    json_write_time(&at, at_ms == 0 ? 1 : at_ms);
    json_write_time(&now, now_ms == 0 ? 1 : now_ms);
    if (memcmp(at.data + DATE_AT, now.data + DATE_AT, DATE_SIZE) != 0) {
        buffer_add(buffer, at.data + DATE_AT, DATE_SIZE);
        buffer_add_char(buffer, ' ');
    }
    buffer_add(buffer, at.data + CLOCK_AT, CLOCK_SIZE);
}

static const char *ordinal_end(uint32_t number)
{
    if (number / 10 % 10 == 1) return "th";
    switch (number % 10) {
    case 1: return "st";
    case 2: return "nd";
    case 3: return "rd";
    default: return "th";
    }
}

static void write_step(struct buffer *buffer, const struct run_ref *ref)
{
    const bool undo = ref->run->op == OP_COMPENSATE;
    const bool probe = ref->run->op == OP_PROBE;
    buffer_add_text(buffer, undo ? "The undo of step " : probe ? "The probe of step " : "Step ");
    buffer_add_bytes(buffer, ref->step->id);
    if (ref->index != INDEX_NONE) buffer_add_format(buffer, "[%" PRId32 "]", ref->index);
}

static void write_times(struct buffer *buffer, uint32_t count)
{
    if (count == 1) {
        buffer_add_text(buffer, "once");
    } else {
        buffer_add_format(buffer, "%" PRIu32 " times", count);
    }
}

static void write_error(struct buffer *buffer, const char *before, const struct saga_error *error,
                        const char *after)
{
    if (error->code[0] == '\0') return;
    buffer_add_text(buffer, before);
    buffer_add_text(buffer, error->code);
    if (error->detail.size > 0) {
        buffer_add_text(buffer, ", ");
        buffer_add_bytes(buffer, error->detail);
    }
    buffer_add_text(buffer, after);
}

/* ---- the sentence ---- */

struct telling {
    const struct saga *saga;
    int64_t now_ms;
    struct arena *arena;
    struct buffer text;
    struct why *why;
};

/* The command's key as it was sent; the saga itself is not touched. */
static struct bytes key_of(const struct telling *telling, const struct run_ref *ref)
{
    const size_t count = telling->saga->definition->step_count;
    struct saga saga = *telling->saga;
    saga.arena = telling->arena;
    saga.steps = arena_array(telling->arena, count, sizeof(*saga.steps));
    memcpy(saga.steps, telling->saga->steps, count * sizeof(*saga.steps));
    struct decide_context context = {.now_ms = telling->now_ms, .arena = telling->arena};
    struct turn turn = {.saga = &saga, .context = &context};
    struct command command;
    struct expression_error error;
    struct run_ref own = *ref;
    own.runs = &saga.steps[ref->step->position];
    return make_command(&turn, &own, ref->run->op, &command, &error) ? command.key
                                                                     : (struct bytes){0};
}

static void name_run(struct telling *telling, const struct run_ref *ref)
{
    struct why *const why = telling->why;
    why->step = ref->step->position;
    why->index = ref->index;
    why->op = ref->run->op;
    why->attempt = ref->run->attempt;
    if (ref->run->error.code[0] != '\0') why->last_error = &ref->run->error;
    why->command_sent_at_ms = ref->run->sent_at_ms;
    if (ref->run->op == OP_ACTION && step_only_waits(ref->step)) why->command_sent_at_ms = 0;
    if (ref->run->attempt == 0 || why->command_sent_at_ms == 0) return;
    why->topic = run_send(ref->step, ref->run->op)->topic;
    why->key = key_of(telling, ref);
}

static void say_on_hold(struct telling *telling, const struct run_ref *ref)
{
    struct buffer *const text = &telling->text;
    buffer_add_text(text, " was tried ");
    write_times(text, ref->run->attempt);
    write_error(text, " (last: ", &ref->run->error, ")");
    buffer_add_text(text,
                    " and nobody knows whether it took effect; its definition holds it for "
                    "an operator, who decides: retry sends it again, complete says that it "
                    "happened, fail that it did not, skip passes it over.");
}

static void tell_on_hold(struct telling *telling, const struct run_ref *ref)
{
    telling->why->kind = "operator";
    telling->why->by = BYTES("operator");
    telling->why->since_ms = ref->run->finished_at_ms;
    name_run(telling, ref);
    write_step(&telling->text, ref);
    say_on_hold(telling, ref);
}

static void tell_stuck(struct telling *telling, const struct run_ref *ref)
{
    struct buffer *const text = &telling->text;
    const struct step_run *const run = ref->run;
    telling->why->kind = "operator";
    telling->why->by = BYTES("operator");
    telling->why->since_ms = run->finished_at_ms;
    name_run(telling, ref);
    write_step(text, ref);
    if (run_is_on_hold(ref)) {
        say_on_hold(telling, ref);
        return;
    }
    if (run->state == STEP_UNKNOWN) {
        buffer_add_text(text, " was tried ");
        write_times(text, run->attempt);
        write_error(text, " (last: ", &run->error, ")");
        buffer_add_text(text,
                        " and nobody knows whether it took effect; an operator decides: "
                        "retry sends it again, complete says that it happened.");
        return;
    }
    buffer_add_text(text, " failed");
    write_error(text, " (", &run->error, ")");
    if (run->op == OP_ACTION) {
        buffer_add_text(text, " after the pivot; an operator decides: retry, skip or complete.");
    } else if (ref->step->undo == UNDO_UNDECLARED) {
        buffer_add_text(text, "; an operator decides: skip waives it.");
    } else {
        buffer_add_text(text, "; an operator decides: retry sends it again, skip waives it.");
    }
}

static void tell_held(struct telling *telling, const struct run_ref *ref)
{
    struct buffer *const text = &telling->text;
    telling->why->kind = "operator";
    telling->why->since_ms = ref->run->finished_at_ms;
    telling->why->by = telling->saga->paused_by;
    name_run(telling, ref);
    write_step(text, ref);
    buffer_add_text(text, ref->run->state == STEP_UNKNOWN ? " has an unknown outcome" : " failed");
    write_error(text, " (", &ref->run->error, ")");
    buffer_add_text(text,
                    " and the saga is paused; resume or retry sends it again, skip, complete "
                    "or cancel end the wait.");
}

static void tell_paused(struct telling *telling)
{
    const struct saga *const saga = telling->saga;
    struct buffer *const text = &telling->text;
    telling->why->kind = "operator";
    telling->why->since_ms = saga->updated_at_ms;
    telling->why->by = saga->paused_by;
    if (saga->paused_by.data != NULL) {
        buffer_add_text(text, "The saga was paused by ");
        buffer_add_bytes(text, saga->paused_by);
        buffer_add_text(text, "; resume lets it go on.");
    } else if (saga->state == SAGA_PENDING) {
        buffer_add_text(text, "The definition ");
        buffer_add_bytes(text, saga->definition->name);
        buffer_add_text(text, " is paused; the saga starts when it is resumed.");
    } else {
        buffer_add_text(text, "The saga did not end by ");
        write_time(text, saga->deadline_at_ms, telling->now_ms);
        buffer_add_text(text,
                        " and its definition says pause; resume gives it the same time "
                        "again.");
    }
}

/* A probe that is to be sent for the first time. */
static void say_first_probe(struct telling *telling, const struct run_ref *ref)
{
    struct buffer *const text = &telling->text;
    telling->why->since_ms = ref->run->next_attempt_at_ms;
    write_error(text, " (", &ref->run->error, ")");
    buffer_add_text(text, " is to ask whether the step took effect, at ");
    write_time(text, ref->run->next_attempt_at_ms, telling->now_ms);
    buffer_add_char(text, '.');
}

static void tell_retry(struct telling *telling, const struct run_ref *ref)
{
    struct buffer *const text = &telling->text;
    const struct step_run *const run = ref->run;
    telling->why->kind = "retry";
    telling->why->since_ms = run->sent_at_ms;
    telling->why->next_attempt_at_ms = run->next_attempt_at_ms;
    name_run(telling, ref);
    write_step(text, ref);
    if (run->attempt == 0) {
        say_first_probe(telling, ref);
        return;
    }
    buffer_add_text(text, " was tried ");
    write_times(text, run->attempt);
    buffer_add_text(text, " by ");
    buffer_add_bytes(text, telling->why->topic);
    write_error(text, " (last: ", &run->error, ")");
    buffer_add_format(text, "; the %" PRIu32 "%s attempt starts at ", run->attempt + 1,
                      ordinal_end(run->attempt + 1));
    write_time(text, run->next_attempt_at_ms, telling->now_ms);
    buffer_add_char(text, '.');
}

static void tell_reply(struct telling *telling, const struct run_ref *ref)
{
    struct buffer *const text = &telling->text;
    const struct step_run *const run = ref->run;
    telling->why->kind = "reply";
    telling->why->since_ms = run->sent_at_ms;
    telling->why->deadline_at_ms = run->deadline_at_ms;
    name_run(telling, ref);
    write_step(text, ref);
    buffer_add_text(text, run->promised ? " was accepted by " : " was sent to ");
    buffer_add_bytes(text, telling->why->topic);
    buffer_add_text(text, " at ");
    write_time(text, run->sent_at_ms, telling->now_ms);
    if (run->attempt > 1) {
        buffer_add_format(text, " for the %" PRIu32 "%s time", run->attempt,
                          ordinal_end(run->attempt));
    }
    write_error(text, " (before: ", &run->error, ")");
    buffer_add_text(text, run->promised ? "; its result is awaited until "
                                        : "; its reply is awaited until ");
    write_time(text, run->deadline_at_ms, telling->now_ms);
    if (run->op == OP_ACTION && saga_direction(telling->saga) == SAGA_COMPENSATING) {
        buffer_add_text(text, ", then it is undone if it may have taken effect");
    }
    if (saga_is_turning(telling->saga)) {
        buffer_add_text(text, "; the saga is to be undone, unless the pivot has succeeded");
    }
    buffer_add_char(text, '.');
}

/* What has begun and only waits; what is to follow it comes with a turn to undo or not at all. */
static void end_wait_sentence(struct telling *telling)
{
    if (saga_is_turning(telling->saga)) {
        buffer_add_text(&telling->text,
                        "; the saga is to be undone, unless the pivot has succeeded");
    }
    buffer_add_char(&telling->text, '.');
}

static void tell_signal(struct telling *telling, const struct run_ref *ref)
{
    struct buffer *const text = &telling->text;
    const struct step_run *const run = ref->run;
    telling->why->kind = "signal";
    telling->why->since_ms = run->sent_at_ms;
    telling->why->deadline_at_ms = run->deadline_at_ms;
    telling->why->signal = ref->step->signal->name;
    name_run(telling, ref);
    write_step(text, ref);
    buffer_add_text(text, " waits for the signal ");
    buffer_add_bytes(text, ref->step->signal->name);
    buffer_add_text(text, " since ");
    write_time(text, run->sent_at_ms, telling->now_ms);
    if (run_is_out(run)) {
        buffer_add_text(text, ", until ");
        write_time(text, run->deadline_at_ms, telling->now_ms);
        buffer_add_text(text, ref->step->signal->continues_on_timeout ? ", then it goes on without"
                                                                      : ", then it fails");
    }
    end_wait_sentence(telling);
}

static void tell_delay(struct telling *telling, const struct run_ref *ref)
{
    struct buffer *const text = &telling->text;
    telling->why->kind = "timer";
    telling->why->since_ms = ref->run->sent_at_ms;
    telling->why->next_attempt_at_ms = ref->run->deadline_at_ms;
    name_run(telling, ref);
    write_step(text, ref);
    buffer_add_text(text, " waits until ");
    write_time(text, ref->run->deadline_at_ms, telling->now_ms);
    end_wait_sentence(telling);
}

static void tell_timer(struct telling *telling)
{
    const struct saga *const saga = telling->saga;
    telling->why->kind = "timer";
    telling->why->since_ms = saga->created_at_ms;
    telling->why->next_attempt_at_ms = saga->start_at_ms;
    buffer_add_text(&telling->text, "The saga starts at ");
    write_time(&telling->text, saga->start_at_ms, telling->now_ms);
    buffer_add_char(&telling->text, '.');
}

static void write_lock(struct buffer *text, const struct saga *saga)
{
    const struct concurrency *const concurrency = saga->definition->concurrency;
    const uint32_t limit = concurrency == NULL ? 1 : concurrency->limit;
    if (limit == 1) {
        buffer_add_text(text, "one saga of ");
    } else {
        buffer_add_format(text, "%" PRIu32 " sagas of ", limit);
    }
    buffer_add_bytes(text, saga->definition->name);
    if (saga->lock_key.size > 0) {
        buffer_add_text(text, " with the key ");
        buffer_add_bytes(text, cut_text(saga->lock_key, SHOWN_KEY_MAX));
        if (saga->lock_key.size > SHOWN_KEY_MAX) buffer_add_text(text, "...");
    }
}

static void say_lock(struct telling *telling)
{
    const struct saga *const saga = telling->saga;
    struct buffer *const text = &telling->text;
    buffer_add_text(text, "No more than ");
    write_lock(text, saga);
    buffer_add_text(text, saga->definition->concurrency == NULL ||
                                  saga->definition->concurrency->limit == 1
                              ? " is open at once, and the saga waits for its turn since "
                              : " are open at once, and the saga waits for its turn since ");
    write_time(text, telling->why->since_ms, telling->now_ms);
}

static void tell_lock(struct telling *telling)
{
    const struct saga *const saga = telling->saga;
    telling->why->kind = "lock";
    telling->why->since_ms = saga->updated_at_ms;
    if (saga->lock_key.size > 0) telling->why->key = saga->lock_key;
    say_lock(telling);
    buffer_add_char(&telling->text, '.');
}

static void write_holder(struct buffer *text, const struct why_line *line)
{
    char id[UUID_TEXT_SIZE];
    if (line->held == 0 || line->holder == NULL) return;
    uuid_print(line->holder, id);
    buffer_add_format(text, "; %s", id);
    if (line->held == 2) buffer_add_text(text, " and another one");
    if (line->held > 2) buffer_add_format(text, " and %" PRId64 " others", line->held - 1);
    buffer_add_text(text, line->held == 1 ? " is open" : " are open");
}

void saga_why_in_line(const struct saga *saga, const struct why_line *line, int64_t now_ms,
                      struct arena *arena, struct why *why)
{
    struct telling telling = {
        .saga = saga, .now_ms = now_ms, .arena = arena, .text = buffer_in(arena), .why = why};
    struct buffer *const text = &telling.text;
    why->since_ms = line->since_ms;
    say_lock(&telling);
    if (line->place == 1) buffer_add_text(text, "; it is the next one");
    if (line->place > 1) {
        const uint32_t place = (uint32_t)line->place;
        buffer_add_format(text, "; it is the %" PRIu32 "%s in line", place, ordinal_end(place));
    }
    write_holder(text, line);
    buffer_add_char(text, '.');
    why->sentence = buffer_bytes(text);
}

static void tell_nothing(struct telling *telling)
{
    const struct saga *const saga = telling->saga;
    struct buffer *const text = &telling->text;
    telling->why->kind = "nothing";
    telling->why->since_ms = saga->updated_at_ms;
    const bool finished = saga_is_finished(saga->state);
    buffer_add_text(text, !finished                       ? "The saga is "
                          : saga->state == SAGA_SUCCEEDED ? "The saga "
                                                          : "The saga was ");
    buffer_add_text(text, saga_state_name(saga->state));
    if (saga->error.code[0] != '\0') {
        telling->why->last_error = &saga->error;
        if (saga->error_step.data != NULL) {
            buffer_add_text(text, ", because of step ");
            buffer_add_bytes(text, saga->error_step);
        }
        write_error(text, " (", &saga->error, ")");
    }
    buffer_add_text(text, finished ? "; nothing is to come." : ".");
}

/* ---- which one ---- */

typedef bool run_question(const struct saga *saga, const struct run_ref *ref);

static bool waits_for_attempt(const struct saga *saga, const struct run_ref *ref)
{
    return !saga_is_finished(saga->state) && ref->run->next_attempt_at_ms != 0;
}

static bool is_out(const struct saga *saga, const struct run_ref *ref)
{
    return !saga_is_finished(saga->state) && run_is_out(ref->run) && !run_only_waits(ref);
}

static bool is_on_hold(const struct saga *saga, const struct run_ref *ref)
{
    return !saga_is_finished(saga->state) && run_is_on_hold(ref);
}

static bool waits_for_signal(const struct saga *saga, const struct run_ref *ref)
{
    (void)saga;
    return run_only_waits(ref) && ref->step->kind == STEP_SIGNAL;
}

static bool waits_for_time(const struct saga *saga, const struct run_ref *ref)
{
    (void)saga;
    return run_only_waits(ref);
}

static bool find_first(const struct saga *saga, run_question *question, struct run_ref *ret_ref)
{
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        *ret_ref = walk.ref;
        if (question(saga, ret_ref)) return true;
    }
    return false;
}

/* The first run that answers a question says why. */
static const struct {
    run_question *asks;
    void (*tell)(struct telling *telling, const struct run_ref *ref);
} BY_RUN[] = {
    {is_on_hold,        tell_on_hold},
    {waits_for_attempt, tell_retry  },
    {is_out,            tell_reply  },
    {waits_for_signal,  tell_signal },
    {waits_for_time,    tell_delay  },
};

static void tell(struct telling *telling)
{
    const struct saga *const saga = telling->saga;
    struct run_ref ref;
    if (saga->state == SAGA_STUCK && find_first(saga, run_needs_operator, &ref)) {
        tell_stuck(telling, &ref);
        return;
    }
    if (saga->paused && find_first(saga, run_is_held, &ref)) {
        tell_held(telling, &ref);
        return;
    }
    if (saga->paused) {
        tell_paused(telling);
        return;
    }
    for (size_t i = 0; i < sizeof(BY_RUN) / sizeof(BY_RUN[0]); i++) {
        if (!find_first(saga, BY_RUN[i].asks, &ref)) continue;
        BY_RUN[i].tell(telling, &ref);
        return;
    }
    if (saga->lock == LOCK_AWAITED) {
        tell_lock(telling);
    } else if (saga->state == SAGA_PENDING) {
        tell_timer(telling);
    } else {
        tell_nothing(telling);
    }
}

void saga_why(const struct saga *saga, int64_t now_ms, struct arena *arena, struct why *ret_why)
{
    *ret_why = (struct why){.step = -1, .index = INDEX_NONE};
    struct telling telling = {
        .saga = saga,
        .now_ms = now_ms,
        .arena = arena,
        .text = buffer_in(arena),
        .why = ret_why,
    };
    tell(&telling);
    ret_why->sentence = buffer_bytes(&telling.text);
}
