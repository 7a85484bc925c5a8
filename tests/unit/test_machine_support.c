#include "test_machine_support.h"

#include <stdio.h>
#include <stdlib.h>

struct stage stage;

/* ---- the stage ---- */

static struct bytes quoted(const char *text)
{
    if (text == NULL) return (struct bytes){0};
    char *const copy = arena_copy(&stage.memory, text, strlen(text));
    for (char *at = copy; *at != '\0'; at++) {
        if (*at == '\'') *at = '"';
    }
    return bytes_of(copy);
}

static void no_hash(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    (void)data;
    (void)size;
    memset(ret_hash, 0, DEFINITION_HASH_SIZE);
}

static struct definition *parsed(const char *text)
{
    struct definition_report report;
    struct definition *const definition = definition_parse(
        quoted(text), &(struct definition_rules){0}, no_hash, &stage.memory, &report);
    for (size_t i = 0; definition == NULL && i < report.error_count; i++) {
        print_error("%s: %s\n", report.errors[i].pointer.data, report.errors[i].detail.data);
    }
    if (definition == NULL) fail_msg("the definition is refused");
    return definition;
}

int leave_stage(void **state)
{
    (void)state;
    if (stage.definition != NULL) definition_free(stage.definition);
    arena_done(&stage.memory);
    arena_done(&stage.scratch);
    stage = (struct stage){0};
    return 0;
}

void given(const char *definition)
{
    leave_stage(NULL);
    stage.definition = parsed(definition);
    stage.now_ms = START_MS;
    stage.random = 1;
    stage.saga = saga_new(&stage.memory, stage.definition);
    uuid_parse(BYTES("018bcfe5-6800-7000-8000-000000000001"), &stage.saga->id);
    stage.saga->input = BYTES("{}");
    stage.saga->labels = BYTES("{}");
    stage.saga->created_at_ms = START_MS;
}

void given_started_with(const char *definition, const char *input)
{
    given(definition);
    stage.saga->input = quoted(input);
    assert_int_equal(when_started(), VERDICT_APPLIED);
}

void given_started(const char *definition)
{
    given_started_with(definition, "{}");
}

/* ---- when ---- */

static struct bytes as_json(struct bytes history)
{
    if (history.data == NULL) return history;
    struct buffer json = buffer_in(&stage.memory);
    const char *what = NULL;
    if (!history_write_json(history, &json, &what)) fail_msg("history: %s", what);
    return buffer_bytes(&json);
}

static uint32_t count_entries(struct bytes history)
{
    const struct json_view *view = NULL;
    struct json_error error;
    if (history.data == NULL) return 0;
    if (!json_view_parse(history, &stage.memory, &view, &error)) {
        fail_msg("history is no JSON: %s", history.data);
    }
    return view->count;
}

/* What saga_decide promises of every decision. */
static void assert_promises(uint32_t revision, uint32_t seq)
{
    const struct decision *const decision = &stage.decision;
    const bool applied = decision->verdict == VERDICT_APPLIED;
    assert_int_equal(stage.saga->revision, revision + (applied ? 1 : 0));
    assert_int_equal(count_entries(decision->history), decision->history_count);
    assert_int_equal(stage.saga->history_seq, seq + decision->history_count);
    assert_int_equal(decision->history_first_seq, seq + 1);
    if (applied) assert_true(decision->history_count > 0);
    if (decision->verdict == VERDICT_ILLEGAL && decision->history_count == 0) {
        assert_true(decision->why[0] != '\0');
    }
}

enum verdict when(struct event event)
{
    arena_reset(&stage.scratch);
    struct decide_context context = {
        .now_ms = stage.now_ms,
        .random = &stage.random,
        .arena = &stage.scratch,
        .held_topics = stage.held_topics,
        .held_topic_count = stage.held_topic_count,
    };
    const uint32_t revision = stage.saga->revision;
    const uint32_t seq = stage.saga->history_seq;
    saga_decide(stage.saga, &event, &context, &stage.decision);
    stage.decision.history = as_json(stage.decision.history);
    assert_promises(revision, seq);
    return stage.decision.verdict;
}

enum verdict when_started(void)
{
    return when((struct event){.kind = EVENT_START, .step = -1, .index = INDEX_NONE});
}

/* "reserve[2]" as a step and an index. */
static void read_run(const char *run, int *ret_step, int32_t *ret_index)
{
    const char *const bracket = strchr(run, '[');
    const size_t size = bracket == NULL ? strlen(run) : (size_t)(bracket - run);
    *ret_step = definition_find_step(stage.definition, (struct bytes){run, size});
    *ret_index = bracket == NULL ? INDEX_NONE : (int32_t)strtol(bracket + 1, NULL, 10);
    if (*ret_step < 0) fail_msg("no step %s", run);
}

const struct step_run *run_of(const char *run)
{
    int step = 0;
    int32_t index = 0;
    read_run(run, &step, &index);
    const struct step_runs *const runs = &stage.saga->steps[step];
    const uint32_t at = index == INDEX_NONE ? 0 : (uint32_t)index;
    if (at > 0) assert_true(at < runs->count);
    return &runs->run[at];
}

static struct event reply_event(const char *run, enum outcome outcome)
{
    struct event event = {.kind = EVENT_REPLY, .outcome = outcome};
    read_run(run, &event.step, &event.index);
    event.op = run_of(run)->op;
    event.attempt = run_of(run)->attempt;
    return event;
}

enum verdict success_with(const char *run, const char *output)
{
    struct event event = reply_event(run, OUTCOME_SUCCESS);
    event.payload = quoted(output);
    return when(event);
}

enum verdict success(const char *run)
{
    return success_with(run, NULL);
}

static enum verdict trouble(const char *run, enum outcome outcome, const char *code)
{
    struct event event = reply_event(run, outcome);
    event.code = bytes_of(code);
    return when(event);
}

enum verdict failure(const char *run, const char *code)
{
    return trouble(run, OUTCOME_FAILURE, code);
}

enum verdict retry(const char *run, const char *code)
{
    return trouble(run, OUTCOME_RETRY, code);
}

enum verdict retry_after(const char *run, uint64_t delay_ms)
{
    struct event event = reply_event(run, OUTCOME_RETRY);
    event.code = BYTES("busy");
    event.delay_stated = true;
    event.delay_ms = delay_ms;
    return when(event);
}

enum verdict progress(const char *run)
{
    struct event event = reply_event(run, OUTCOME_PROGRESS);
    event.payload = quoted("{'progress':0.40,'message':'packing'}");
    return when(event);
}

enum verdict pending(const char *run)
{
    return when(reply_event(run, OUTCOME_PENDING));
}

enum verdict reply_of(const char *run, enum op op, uint32_t attempt, enum outcome outcome)
{
    struct event event = reply_event(run, outcome);
    event.op = op;
    event.attempt = attempt;
    event.code =
        outcome == OUTCOME_FAILURE || outcome == OUTCOME_RETRY ? BYTES("no") : (struct bytes){0};
    return when(event);
}

enum verdict later(int64_t ms)
{
    stage.now_ms += ms;
    return when((struct event){.kind = EVENT_TIMER, .step = -1, .index = INDEX_NONE});
}

void due_in(int64_t ms)
{
    assert_int_equal(saga_next_due_ms(stage.saga) - stage.now_ms, ms);
    assert_int_equal(later(ms - 1), VERDICT_NOTHING);
    assert_int_equal(later(1), VERDICT_APPLIED);
}

static enum event_kind kind_of_verb(const char *verb, enum event_kind first, enum event_kind last)
{
    for (enum event_kind kind = first; kind <= last; kind++) {
        if (strcmp(event_kind_name(kind), verb) == 0) return kind;
    }
    fail_msg("no verb %s", verb);
    return EVENT_KIND_COUNT;
}

enum verdict operator_says(const char *verb)
{
    return when((struct event){
        .kind = kind_of_verb(verb, EVENT_CANCEL, EVENT_TERMINATE),
        .step = -1,
        .index = INDEX_NONE,
        .actor = BYTES("key:ops"),
        .reason = BYTES("asked for"),
    });
}

enum verdict operator_says_of(const char *verb, const char *run)
{
    struct event event = {
        .kind = kind_of_verb(verb, EVENT_STEP_RETRY, EVENT_STEP_FAIL),
        .actor = BYTES("key:ops"),
        .reason = BYTES("asked for"),
    };
    read_run(run, &event.step, &event.index);
    if (event.kind == EVENT_STEP_COMPLETE || event.kind == EVENT_STEP_SKIP) {
        event.payload = BYTES("{\"by\":\"hand\"}");
    }
    return when(event);
}

/* ---- then ---- */

static void add_name(struct buffer *text, struct bytes step, int32_t index, enum op op)
{
    if (op == OP_COMPENSATE) buffer_add_text(text, "undo ");
    buffer_add_bytes(text, step);
    if (index != INDEX_NONE) buffer_add_format(text, "[%d]", index);
}

void assert_sent(const char *commands)
{
    struct buffer text = buffer_in(&stage.memory);
    buffer_add_text(&text, "");
    for (size_t i = 0; i < stage.decision.command_count; i++) {
        const struct command *const command = &stage.decision.commands[i];
        if (i > 0) buffer_add_text(&text, ", ");
        add_name(&text, command->step->id, command->index, command->op);
    }
    assert_string_equal(text.data, commands);
}

void assert_saga(enum saga_state state)
{
    assert_string_equal(saga_state_name(stage.saga->state), saga_state_name(state));
}

void assert_step(const char *run, enum step_state state)
{
    assert_string_equal(step_state_name(run_of(run)->state), step_state_name(state));
}

static void add_entry(struct buffer *text, const struct json_view *entry)
{
    const struct json_view *const step = json_view_member(entry, "step");
    const struct json_view *const index = json_view_member(entry, "index");
    const struct json_view *const op = json_view_member(entry, "op");
    int64_t item = INDEX_NONE;
    if (text->size > 0) buffer_add_text(text, ", ");
    buffer_add_bytes(text, json_view_member(entry, "type")->string);
    if (step == NULL) return;
    if (index != NULL) assert_true(json_view_int64(index, &item));
    buffer_add_char(text, ' ');
    add_name(text, step->string, (int32_t)item,
             op != NULL && bytes_equal_text(op->string, "compensate") ? OP_COMPENSATE : OP_ACTION);
}

void assert_history(const char *entries)
{
    struct buffer text = buffer_in(&stage.memory);
    buffer_add_text(&text, "");
    const struct json_view *view = NULL;
    struct json_error error;
    if (stage.decision.history.data != NULL) {
        assert_true(json_view_parse(stage.decision.history, &stage.memory, &view, &error));
        for (const struct json_view *entry = view->child; entry != NULL; entry = entry->next) {
            add_entry(&text, entry);
        }
    }
    assert_string_equal(text.data, entries);
}

void assert_recorded(const char *piece)
{
    const char *const wanted = quoted(piece).data;
    if (stage.decision.history.data == NULL ||
        strstr(stage.decision.history.data, wanted) == NULL) {
        fail_msg("%s is not in %s", wanted, stage.decision.history.data);
    }
}

void assert_error(const char *code, const char *step)
{
    assert_string_equal(stage.saga->error.code, code);
    assert_string_equal(stage.saga->error_step.data == NULL ? "" : stage.saga->error_step.data,
                        step == NULL ? "" : step);
}

void assert_why_names(const char *piece)
{
    assert_int_equal(stage.decision.verdict, VERDICT_ILLEGAL);
    if (strstr(stage.decision.why, piece) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", piece, stage.decision.why);
    }
}
