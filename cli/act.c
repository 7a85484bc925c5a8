/*
 * cli/act.c
 *   Commands to running sagas: each a POST with a reason, previewed by --dry-run.
 *
 * Where something is undone or lost for good the person is shown what would happen, and asked.
 */
#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"
#include "cli/sagas.h"
#include "cli/show.h"
#include "sagas/base/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct act {
    const char *verb;
    const char *id;
    const char *step;                    /* NULL: the saga itself */
    int64_t index;                       /* of a foreach item; -1: none */
    struct bytes result, input, payload; /* JSON; absent: none */
    const char *code, *from;             /* NULL: none */
};

static char *act_path(struct cli *cli, const struct act *act, bool dry_run)
{
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, sagas_path(&cli->arena, act->id, "/"));
    if (act->step != NULL) {
        buffer_add_text(&path, "steps/");
        path_add(&path, act->step);
        buffer_add_char(&path, '/');
    }
    buffer_add_text(&path, act->verb);
    if (act->index >= 0) {
        char index[24];
        (void)snprintf(index, sizeof index, "%lld", (long long)act->index);
        path_add_query(&path, "index", index);
    }
    if (dry_run) path_add_query(&path, "dry_run", "true");
    return path.data;
}

static void add_member(struct buffer *body, const char *name)
{
    if (body->size > 1) buffer_add_char(body, ',');
    buffer_add_format(body, "\"%s\":", name);
}

static struct bytes act_body(struct cli *cli, const struct act *act)
{
    const char *reason = arguments_text(&cli->arguments, OPTION_REASON);
    struct buffer body = buffer_in(&cli->arena);
    buffer_add_char(&body, '{');
    if (reason != NULL) {
        add_member(&body, "reason");
        json_write_text(&body, reason);
    }
    if (act->code != NULL) {
        add_member(&body, "code");
        json_write_text(&body, act->code);
    }
    if (act->from != NULL) {
        add_member(&body, "from");
        json_write_text(&body, act->from);
    }
    if (act->result.data != NULL) {
        add_member(&body, "output");
        buffer_add_bytes(&body, act->result);
    }
    if (act->input.data != NULL) {
        add_member(&body, "input");
        buffer_add_bytes(&body, act->input);
    }
    if (act->payload.data != NULL) {
        add_member(&body, "payload");
        buffer_add_bytes(&body, act->payload);
    }
    buffer_add_char(&body, '}');
    return buffer_bytes(&body);
}

static enum status post(struct cli *cli, const struct act *act, bool dry_run,
                        struct answer *ret_answer)
{
    const struct request request = {
        .method = "POST",
        .path = act_path(cli, act, dry_run),
        .body = act_body(cli, act),
        .idempotency_key =
            dry_run ? NULL : arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    return client_call(cli->client, &request, &cli->arena, ret_answer);
}

/* ---- the preview ---- */

/* Members of a `would` entry beyond the columns. */
static struct bytes rest_text(struct cli *cli, const struct json_view *would)
{
    static const char *const SHOWN[] = {"do", "step", "index", "op"};
    struct buffer text = buffer_in(&cli->arena);
    for (const struct json_view *each = would->child; each != NULL; each = each->next) {
        bool shown = each->type == VIEW_NULL;
        for (size_t i = 0; i < sizeof SHOWN / sizeof SHOWN[0]; i++) {
            shown = shown || bytes_equal_text(each->key, SHOWN[i]);
        }
        if (shown) continue;
        if (text.size > 0) buffer_add_char(&text, ' ');
        buffer_add_bytes(&text, each->key);
        buffer_add_char(&text, '=');
        buffer_add_bytes(&text, json_plain(each, &cli->arena));
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

static struct bytes would_text(struct cli *cli, const struct answer *answer)
{
    static const char *const HEADINGS[] = {"WOULD", "STEP", "OP", "WITH"};
    struct table table = table_in(&cli->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    for (const struct json_view *each = json_items(answer->json, "would"); each != NULL;
         each = each->next) {
        table_add(&table, STYLE_BOLD, json_text(each, "do"));
        table_add(&table, STYLE_PLAIN,
                  show_step_name(&cli->arena, json_text(each, "step"), json_value(each, "index")));
        table_add(&table, STYLE_PLAIN, json_text(each, "op"));
        table_add(&table, STYLE_PLAIN, rest_text(cli, each));
    }
    struct buffer out = buffer_in(&cli->arena);
    table_print(&table, &cli->terminal, "  ", &out);
    return buffer_bytes(&out);
}

static enum status preview(struct cli *cli, const struct act *act)
{
    struct answer answer;
    const enum status status = post(cli, act, true, &answer);
    if (status != STATUS_OK || cli_print_raw(cli, &answer)) return status;
    terminal_put(would_text(cli, &answer));
    return STATUS_OK;
}

/* ---- asking ---- */

static bool can_ask(const struct cli *cli)
{
    return !arguments_has(&cli->arguments, OPTION_YES) && isatty(STDIN_FILENO) == 1 &&
           isatty(STDERR_FILENO) == 1;
}

/* Shows what would happen, then asks. OK: go on; *ret_yes false: leave it. */
static enum status ask(struct cli *cli, const struct act *act, bool *ret_yes)
{
    *ret_yes = true;
    if (!can_ask(cli)) return STATUS_OK;
    struct answer answer;
    const enum status status = post(cli, act, true, &answer);
    if (status != STATUS_OK) return status;
    const struct bytes would = would_text(cli, &answer);
    (void)fflush(stdout);
    (void)fwrite(would.data, 1, would.size, stderr);
    *ret_yes = cli_confirm(cli, "%s %s?", act->verb, act->id);
    if (!*ret_yes) tell("left as it is");
    return STATUS_OK;
}

enum asking { ASK_NEVER, ASK_ON_TERMINAL, ASK_ALWAYS };

/* One command to one saga or step, in the way that the options say. */
static enum status act_on(struct cli *cli, const struct act *act, enum asking asking)
{
    if (arguments_has(&cli->arguments, OPTION_DRY_RUN)) return preview(cli, act);
    if (asking == ASK_ALWAYS && !arguments_has(&cli->arguments, OPTION_YES) && !can_ask(cli)) {
        return tell_error(STATUS_USAGE, "%s undoes nothing and is final: say --yes", act->verb);
    }
    bool yes = true;
    enum status status = asking != ASK_NEVER ? ask(cli, act, &yes) : STATUS_OK;
    if (status != STATUS_OK) return status;
    if (!yes) return STATUS_ERROR;
    struct answer answer;
    status = post(cli, act, false, &answer);
    if (status == STATUS_OK) sagas_print(cli, &answer);
    return status;
}

/* ---- sagas ---- */

static enum status act_on_each(struct cli *cli, const char *verb, enum asking asking)
{
    if (!cli_key_fits(cli)) return STATUS_USAGE;
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        const struct act act = {.verb = verb, .id = cli_word(cli, i), .index = -1};
        status = status_first(status, act_on(cli, &act, asking));
    }
    return status;
}

enum status run_cancel(struct cli *cli)
{
    return act_on_each(cli, "cancel", ASK_ON_TERMINAL);
}

enum status run_pause(struct cli *cli)
{
    return act_on_each(cli, "pause", ASK_NEVER);
}

enum status run_resume(struct cli *cli)
{
    return act_on_each(cli, "resume", ASK_NEVER);
}

enum status run_terminate(struct cli *cli)
{
    return act_on_each(cli, "terminate", ASK_ALWAYS);
}

static bool read_json_option(struct cli *cli, enum option option, struct bytes *ret_json)
{
    const char *value = arguments_text(&cli->arguments, option);
    return value == NULL || files_read_json(value, &cli->arena, ret_json);
}

enum status run_fork(struct cli *cli)
{
    struct act act = {.verb = "fork",
                      .id = cli_word(cli, 0),
                      .index = -1,
                      .from = arguments_text(&cli->arguments, OPTION_FROM)};
    if (!read_json_option(cli, OPTION_INPUT, &act.input)) return STATUS_USAGE;
    return act_on(cli, &act, ASK_ON_TERMINAL);
}

/* ---- signals ---- */

static bool read_payload(struct cli *cli, struct bytes *ret_payload)
{
    const char *payload = arguments_text(&cli->arguments, OPTION_PAYLOAD);
    return payload == NULL || files_read_json(payload, &cli->arena, ret_payload);
}

/* `"attribute":{"order_id":"o-1"}`; false, told: one of them has no equals sign. */
static bool add_attributes(struct cli *cli, struct buffer *body)
{
    const char *given = NULL;
    buffer_add_text(body, "\"attribute\":{");
    for (size_t n = 0; (given = arguments_nth(&cli->arguments, OPTION_ATTRIBUTE, n)) != NULL; n++) {
        const char *equals = strchr(given, '=');
        if (equals == NULL) {
            tell_error(STATUS_USAGE, "--attribute: '%s' is not NAME=VALUE", given);
            return false;
        }
        if (n > 0) buffer_add_char(body, ',');
        json_write_string(body, (struct bytes){given, (size_t)(equals - given)});
        buffer_add_char(body, ':');
        json_write_text(body, equals + 1);
    }
    buffer_add_char(body, '}');
    return true;
}

/* `signal NAME --attribute NAME=VALUE`: the server finds the sagas. */
static enum status signal_by_attribute(struct cli *cli)
{
    const char *reason = arguments_text(&cli->arguments, OPTION_REASON);
    struct bytes payload = {0};
    struct buffer path = buffer_in(&cli->arena);
    struct buffer body = buffer_in(&cli->arena);
    struct answer answer;
    if (cli->arguments.word_count != 1 || arguments_has(&cli->arguments, OPTION_DRY_RUN)) {
        return tell_error(STATUS_USAGE,
                          "with --attribute: sagactl signal NAME, without ID and "
                          "--dry-run");
    }
    buffer_add_text(&path, "/v1/signals/");
    path_add(&path, cli_word(cli, 0));
    buffer_add_char(&body, '{');
    if (!add_attributes(cli, &body) || !read_payload(cli, &payload)) return STATUS_USAGE;
    add_member(&body, "match");
    buffer_add_text(&body, arguments_has(&cli->arguments, OPTION_ALL) ? "\"all\"" : "\"one\"");
    if (payload.data != NULL) {
        add_member(&body, "payload");
        buffer_add_bytes(&body, payload);
    }
    if (reason != NULL) {
        add_member(&body, "reason");
        json_write_text(&body, reason);
    }
    buffer_add_char(&body, '}');
    const struct request request = {.method = "POST",
                                    .path = path.data,
                                    .body = buffer_bytes(&body),
                                    .idempotency_key =
                                        arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK || cli->format == FORMAT_JSON) {
        if (status == STATUS_OK) cli_print_body(answer.body);
        return status;
    }
    for (const struct json_view *at = json_items(answer.json, "items"); at != NULL; at = at->next) {
        const struct bytes saga = json_text(at, "saga");
        (void)printf("%.*s", (int)saga.size, saga.data);
        if (cli_is_table(cli)) (void)printf(" %lld", (long long)json_int(at, "status", 0));
        (void)putchar('\n');
    }
    return STATUS_OK;
}

enum status run_signal(struct cli *cli)
{
    struct buffer verb = buffer_in(&cli->arena);
    struct act act = {.id = cli_word(cli, 0), .index = -1};
    if (arguments_has(&cli->arguments, OPTION_ATTRIBUTE)) return signal_by_attribute(cli);
    if (cli->arguments.word_count != 2) {
        return tell_error(STATUS_USAGE, "signal needs ID NAME, or NAME and --attribute");
    }
    buffer_add_text(&verb, "signals/");
    path_add(&verb, cli_word(cli, 1));
    act.verb = verb.data;
    if (!read_payload(cli, &act.payload)) return STATUS_USAGE;
    return act_on(cli, &act, ASK_NEVER);
}

/* ---- steps ---- */

/* "reserve[2]" into name and index; --index means the same. */
static bool read_step(struct cli *cli, const char *word, struct act *act)
{
    char *step = arena_copy(&cli->arena, word, strlen(word));
    act->step = step;
    act->index = -1;
    char *bracket = strchr(step, '[');
    char *end = NULL;
    if (bracket != NULL) {
        act->index = strtol(bracket + 1, &end, 10);
        if (act->index < 0 || end == bracket + 1 || strcmp(end, "]") != 0) {
            tell_error(STATUS_USAGE, "'%s' is no step; write STEP or STEP[N]", word);
            return false;
        }
        *bracket = '\0';
    }
    return arguments_number(&cli->arguments, OPTION_INDEX, 0, INT32_MAX, act->index, &act->index);
}

static enum status act_on_step(struct cli *cli, const char *verb)
{
    struct act act = {.verb = verb, .id = cli_word(cli, 0)};
    if (!read_step(cli, cli_word(cli, 1), &act)) return STATUS_USAGE;
    if (!read_json_option(cli, OPTION_RESULT, &act.result)) return STATUS_USAGE;
    if (!read_json_option(cli, OPTION_INPUT, &act.input)) return STATUS_USAGE;
    act.code = arguments_text(&cli->arguments, OPTION_CODE);
    return act_on(cli, &act, ASK_NEVER);
}

enum status run_skip_step(struct cli *cli)
{
    return act_on_step(cli, "skip");
}

enum status run_complete(struct cli *cli)
{
    return act_on_step(cli, "complete");
}

enum status run_fail(struct cli *cli)
{
    return act_on_step(cli, "fail");
}

/* `retry ID STEP` or `retry ID...`: what is no UUID is a step. */
enum status run_try_again(struct cli *cli)
{
    struct uuid id;
    const bool names_step =
        cli->arguments.word_count == 2 && !uuid_parse(bytes_of(cli_word(cli, 1)), &id);
    if (names_step) return act_on_step(cli, "retry");
    if (arguments_has(&cli->arguments, OPTION_INPUT) ||
        arguments_has(&cli->arguments, OPTION_INDEX)) {
        return tell_error(STATUS_USAGE, "--input and --index go with `retry ID STEP`");
    }
    return act_on_each(cli, "retry", ASK_NEVER);
}
