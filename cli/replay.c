/*
 * cli/replay.c
 *   An exported saga's history folded again by the rules, and compared with the state beside it.
 *
 * No server is asked. What is found is told with the entry of the history that it comes from.
 */
#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"
#include "sagas/machine/fold.h"

#include <stdio.h>
#include <string.h>

enum { EXPORT_SIZE_MAX = 80 * 1024 * 1024 };

static const char FORMAT[] = "sagad.export/1";
static const char MASK[] = "\"[redacted]\"";

struct replay {
    struct cli *cli;
    const char *name;
    const struct json_view *file;
    struct definition *definition;
    struct definition **earlier;        /* that it had before, the first one first */
    const struct definition **versions; /* all of them */
    size_t earlier_count;
    struct saga *stated; /* as the file says it is */
    struct fold *fold;
    uint32_t entries;
    size_t differences;
};

/* ---- what the file says ---- */

/* Nothing is looked up by the hash here, so any will do. */
static void no_hash(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    (void)data;
    (void)size;
    memset(ret_hash, 0, DEFINITION_HASH_SIZE);
}

static enum status refuse(const struct replay *replay, const char *what)
{
    return tell_error(STATUS_ERROR, "%s: %s", replay->name, what);
}

/* {"version", "definition"}; NULL, told: it is none. */
static struct definition *read_version(const struct replay *replay, const struct json_view *view)
{
    /* What was registered once may name any topic. */
    static const struct definition_rules ANY_TOPIC = {.topics_allow = "*"};
    struct definition_report report;
    const struct json_view *const source = view == NULL ? NULL : json_value(view, "definition");
    if (source == NULL) {
        (void)refuse(replay, "it has no definition");
        return NULL;
    }
    struct definition *const definition =
        definition_parse(source->text, &ANY_TOPIC, no_hash, &replay->cli->arena, &report);
    if (definition == NULL) {
        tell_error(STATUS_ERROR, "%s: the definition is none: %.*s: %.*s", replay->name,
                   (int)report.errors[0].pointer.size, report.errors[0].pointer.data,
                   (int)report.errors[0].detail.size, report.errors[0].detail.data);
        return NULL;
    }
    definition->version = (uint32_t)json_int(view, "version", 0);
    return definition;
}

static bool read_definitions(struct replay *replay)
{
    const struct json_view *const list = json_value(replay->file, "earlier_definitions");
    const size_t room = list == NULL || list->type != VIEW_ARRAY ? 0 : list->count;
    replay->definition = read_version(replay, json_value(replay->file, "definition"));
    if (replay->definition == NULL) return false;
    replay->earlier = arena_array(&replay->cli->arena, room, sizeof(struct definition *));
    replay->versions = arena_array(&replay->cli->arena, room + 1, sizeof(struct definition *));
    replay->versions[0] = replay->definition;
    for (const struct json_view *at = room == 0 ? NULL : list->child; at != NULL; at = at->next) {
        struct definition *const earlier = read_version(replay, at);
        if (earlier == NULL) return false;
        replay->earlier[replay->earlier_count++] = earlier;
        replay->versions[replay->earlier_count] = earlier;
    }
    return true;
}

static struct bytes payload_of(const struct json_view *view, const char *name)
{
    const struct json_view *const value = json_value(view, name);
    return value == NULL ? (struct bytes){0} : value->text;
}

static void read_error(const struct json_view *view, struct saga_error *ret_error)
{
    const struct json_view *const error = json_value(view, "error");
    if (error == NULL) return;
    (void)snprintf(ret_error->code, sizeof(ret_error->code), "%.*s",
                   (int)json_text(error, "code").size, json_text(error, "code").data);
    ret_error->detail = json_text(error, "detail");
}

static void read_lock(const struct json_view *lock, struct saga *saga)
{
    if (lock == NULL) return;
    saga->lock = json_is(lock, "state", "held") ? LOCK_HELD : LOCK_AWAITED;
    saga->lock_key = json_text(lock, "key");
}

static bool read_saga(struct replay *replay, const struct json_view *view)
{
    struct saga *const saga = replay->stated;
    if (view == NULL || !saga_state_parse(json_text(view, "state"), &saga->state)) return false;
    saga->paused = json_true(view, "paused");
    saga->cancel_requested = json_true(view, "cancel_requested");
    for (const struct json_view *at = json_items(view, "attention"); at != NULL; at = at->next) {
        enum attention attention = 0;
        if (attention_parse(at->string, &attention)) saga->attention |= attention;
    }
    saga->revision = (uint32_t)json_int(view, "revision", 0);
    saga->output = payload_of(view, "output");
    saga->created_at_ms = json_time(view, "created_at");
    saga->start_at_ms = json_time(view, "start_at");
    saga->started_at_ms = json_time(view, "started_at");
    saga->updated_at_ms = json_time(view, "updated_at");
    saga->finished_at_ms = json_time(view, "finished_at");
    saga->deadline_at_ms = json_time(view, "deadline_at");
    read_lock(json_value(view, "lock"), saga);
    read_error(view, &saga->error);
    return true;
}

static bool read_step_state(struct bytes name, enum step_state *ret_state)
{
    for (enum step_state state = STEP_WAITING; state < STEP_STATE_COUNT; state++) {
        if (!bytes_equal_text(name, step_state_name(state))) continue;
        *ret_state = state;
        return true;
    }
    return false;
}

static bool read_op(struct bytes name, enum op *ret_op)
{
    for (enum op op = OP_ACTION; op <= OP_PROBE; op++) {
        if (!bytes_equal_text(name, op_name(op))) continue;
        *ret_op = op;
        return true;
    }
    return false;
}

static const struct run_effect *read_effect(struct replay *replay, const struct json_view *view)
{
    if (view == NULL) return NULL;
    struct run_effect *const effect = arena_alloc(&replay->cli->arena, sizeof(*effect));
    if (json_value(view, "amount") != NULL) effect->amount = json_text(view, "amount");
    if (json_value(view, "currency") != NULL) effect->currency = json_text(view, "currency");
    return effect;
}

static bool read_run(struct replay *replay, const struct json_view *view, struct step_run *run)
{
    if (!read_step_state(json_text(view, "state"), &run->state)) return false;
    if (!read_op(json_text(view, "op"), &run->op)) return false;
    run->attempt = (uint32_t)json_int(view, "attempt", 0);
    run->output = payload_of(view, "output");
    run->started_at_ms = json_time(view, "started_at");
    run->finished_at_ms = json_time(view, "finished_at");
    run->next_attempt_at_ms = json_time(view, "next_attempt_at");
    run->deadline_at_ms = json_time(view, "deadline_at");
    read_error(view, &run->error);
    run->effect = read_effect(replay, json_value(view, "effect"));
    return true;
}

/* The items of a foreach come one after the other. NULL: there is no such place. */
static struct step_run *place_of(struct replay *replay, const struct json_view *view)
{
    const struct definition *const definition = replay->definition;
    const int position = definition_find_step(definition, json_text(view, "id"));
    const int64_t index = json_int(view, "index", INDEX_NONE);
    if (position < 0) return NULL;
    struct step_runs *const runs = &replay->stated->steps[position];
    if (index == INDEX_NONE) return &runs->run[0];
    if (definition->steps[position].foreach == NULL || index >= FOREACH_ITEMS_MAX) return NULL;
    if (!runs->expanded) {
        runs->run = arena_array(&replay->cli->arena, FOREACH_ITEMS_MAX, sizeof(*runs->run));
        runs->expanded = true;
        runs->count = 0;
    }
    if (index != (int64_t)runs->count) return NULL;
    return &runs->run[runs->count++];
}

/* A foreach over nothing is shown as one run that succeeded at no time. */
static void mark_empty(struct replay *replay, const struct json_view *view,
                       const struct step_run *run)
{
    const int position = definition_find_step(replay->definition, json_text(view, "id"));
    const struct step *const step = &replay->definition->steps[position];
    struct step_runs *const runs = &replay->stated->steps[position];
    if (step->foreach == NULL || runs->expanded || run->state != STEP_SUCCEEDED) return;
    if (run->finished_at_ms != 0) return;
    runs->expanded = true;
    runs->count = 0;
}

static bool read_steps(struct replay *replay)
{
    size_t steps = 0;
    struct bytes last = {0};
    for (const struct json_view *at = json_items(replay->file, "steps"); at != NULL;
         at = at->next) {
        struct step_run *const run = place_of(replay, at);
        if (run == NULL || !read_run(replay, at, run)) return false;
        mark_empty(replay, at, run);
        steps += !bytes_equal(last, json_text(at, "id"));
        last = json_text(at, "id");
    }
    return steps == replay->definition->step_count;
}

/* ---- folding ---- */

static enum status fold_all(struct replay *replay)
{
    for (const struct json_view *at = json_items(replay->file, "history"); at != NULL;
         at = at->next) {
        const struct fold_entry entry = {
            .seq = (uint32_t)json_int(at, "seq", 0),
            .revision = (uint32_t)json_int(at, "revision", 0),
            .at_ms = json_time(at, "at"),
            .entry = at,
            .payload = payload_of(at, "payload"),
            .output = payload_of(at, "output"),
        };
        if (!fold_add(replay->fold, &entry)) {
            return tell_error(STATUS_ERROR, "%s: entry %u: %s", replay->name, entry.seq,
                              replay->fold->why);
        }
        replay->entries++;
    }
    if (replay->fold->saga->definition != replay->definition) {
        return refuse(replay, "its history ends under another definition");
    }
    for (size_t i = 0; i < replay->definition->step_count; i++) {
        const struct step_runs *const runs = &replay->stated->steps[i];
        if (runs->expanded) fold_width(replay->fold, i, runs->count);
    }
    return STATUS_OK;
}

static void tell_difference(void *context, const struct fold_difference *difference)
{
    struct replay *const replay = context;
    struct buffer what = buffer_in(&replay->cli->arena);
    /* What is masked as a whole there tells nothing of what is masked in part here. */
    if (strcmp(difference->member, "output") == 0 && bytes_equal_text(difference->folded, MASK)) {
        return;
    }
    buffer_add_text(&what, difference->step == NULL ? "the saga" : "step ");
    if (difference->step != NULL) buffer_add_bytes(&what, difference->step->id);
    if (difference->index != INDEX_NONE) buffer_add_format(&what, "[%d]", difference->index);
    (void)printf("entry %u: %s of %s is %.*s, the history says %.*s\n", difference->seq,
                 difference->member, what.data, (int)difference->stated.size,
                 difference->stated.data, (int)difference->folded.size, difference->folded.data);
    replay->differences++;
}

static enum status compare(struct replay *replay)
{
    (void)fold_compare(replay->fold, replay->stated, &replay->cli->arena, tell_difference, replay);
    if (replay->differences > 0) {
        return tell_error(STATUS_ERROR, "%s: %zu differences between the saga and its history",
                          replay->name, replay->differences);
    }
    (void)printf("the history of %u entries gives the saga as it is: %s, revision %u\n",
                 replay->entries, saga_state_name(replay->stated->state), replay->stated->revision);
    return STATUS_OK;
}

static enum status replay_file(struct replay *replay)
{
    struct arena *const arena = &replay->cli->arena;
    if (!json_is(replay->file, "format", FORMAT)) {
        return refuse(replay, "it is no export of a saga (format sagad.export/1)");
    }
    if (!read_definitions(replay)) return STATUS_ERROR;
    const bool was_migrated = replay->earlier_count > 0;
    replay->stated = saga_new(arena, replay->definition);
    replay->fold = fold_new(arena, was_migrated ? replay->earlier[0] : replay->definition);
    fold_versions(replay->fold, replay->versions, replay->earlier_count + 1);
    if (!read_saga(replay, json_value(replay->file, "saga"))) {
        return refuse(replay, "its saga has no state");
    }
    if (!read_steps(replay)) return refuse(replay, "its steps are not those of the definition");
    const enum status folded = fold_all(replay);
    return folded == STATUS_OK ? compare(replay) : folded;
}

enum status run_replay(struct cli *cli)
{
    struct replay replay = {.cli = cli, .name = cli_word(cli, 0)};
    struct json_error error;
    struct bytes text;
    if (!files_read(replay.name, EXPORT_SIZE_MAX, &cli->arena, &text)) return STATUS_ERROR;
    if (!json_view_parse(text, &cli->arena, &replay.file, &error)) {
        return refuse(&replay, "it is no JSON");
    }
    const enum status status = replay_file(&replay);
    definition_free(replay.definition);
    for (size_t i = 0; i < replay.earlier_count; i++) {
        definition_free(replay.earlier[i]);
    }
    return status;
}
