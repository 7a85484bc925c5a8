/* definitions: register, list, show. */
#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/problem.h"
#include "cli/table.h"
#include "cli/times.h"

#include <inttypes.h>
#include <stdio.h>

enum { FILE_SIZE_MAX = 1024 * 1024 };

/* ---- apply ---- */

/* A validation says yes or no with 200; tell the places and make it a status. */
static enum status tell_validation(const char *file, const struct json_view *result)
{
    const bool valid = json_true(result, "valid");
    problem_tell_places("  warning: ", json_value(result, "warnings"));
    if (valid) {
        tell("%s: valid", file);
        return STATUS_OK;
    }
    tell_error(STATUS_ERROR, "%s is no valid definition", file);
    problem_tell_places("  ", json_value(result, "errors"));
    return STATUS_ERROR;
}

static void add_applied(struct table *table, const char *file, const struct answer *answer)
{
    char version[24];
    (void)snprintf(version, sizeof version, "%" PRId64, json_int(answer->json, "version", 0));
    table_add(table, STYLE_BOLD, json_text(answer->json, "name"));
    table_add_text(table, STYLE_PLAIN, version);
    if (answer->http_status == 201) {
        table_add_text(table, STYLE_GOOD, "new");
    } else {
        table_add_text(table, STYLE_DIM, "unchanged");
    }
    table_add_text(table, STYLE_PLAIN, file);
}

static enum status apply_file(struct cli *cli, const char *file, struct table *table)
{
    const bool dry = arguments_has(&cli->arguments, OPTION_DRY_RUN);
    struct bytes text;
    if (!files_read(file, FILE_SIZE_MAX, &cli->arena, &text)) return STATUS_ERROR;
    const struct request request = {.method = "POST",
                                    .path = dry ? "/v1/definitions/validate" : "/v1/definitions",
                                    .body = text};
    struct answer answer;
    const enum status status = client_try(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK || answer.json == NULL) {
        tell_error(status, "%s was not registered", file);
        problem_tell(cli->client, &answer, &cli->arena);
        return status_first(status, STATUS_ERROR);
    }
    const bool raw = cli_print_raw(cli, &answer);
    if (dry) return tell_validation(file, answer.json);
    if (!raw) add_applied(table, file, &answer);
    return STATUS_OK;
}

enum status run_definitions_apply(struct cli *cli)
{
    static const char *const HEADINGS[] = {"NAME", "VERSION", "RESULT", "FILE"};
    struct table table = table_in(&cli->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        status = status_first(status, apply_file(cli, cli_word(cli, i), &table));
    }
    if (table_rows(&table) == 0) return status;
    struct buffer out = buffer_in(&cli->arena);
    table_print(&table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
    return status;
}

/* ---- list ---- */

struct rows {
    struct cli *cli;
    struct table table;
};

static const char *flags_text(const struct json_view *definition)
{
    const bool paused = json_true(definition, "paused");
    const bool deprecated = json_true(definition, "deprecated");
    return paused && deprecated ? "paused, deprecated"
           : paused             ? "paused"
           : deprecated         ? "deprecated"
                                : "";
}

static void add_definition(void *context, const struct json_view *item)
{
    struct rows *rows = context;
    struct arena *arena = &rows->cli->arena;
    const struct json_view *definition = json_value(item, "definition");
    char ago[TIMES_TEXT_SIZE];
    times_ago(times_now_ms(), json_time(item, "created_at"), ago);
    table_add(&rows->table, STYLE_BOLD, json_text(item, "name"));
    table_add(&rows->table, STYLE_PLAIN, json_plain(json_value(item, "version"), arena));
    table_add_text(&rows->table, STYLE_PLAIN, ago);
    table_add_text(&rows->table, STYLE_WARN, flags_text(item));
    table_add(&rows->table, STYLE_PLAIN, json_text(definition, "description"));
}

enum status run_definitions_list(struct cli *cli)
{
    static const char *const HEADINGS[] = {"NAME", "VERSION", "CREATED", "FLAGS", "DESCRIPTION"};
    struct pages pages;
    if (!pages_begin(cli, "/v1/definitions", INT64_MAX, &pages)) return STATUS_USAGE;
    struct rows rows = {.cli = cli, .table = table_in(&cli->arena)};
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&rows.table, HEADINGS[i]);
    }
    const enum status status = pages_print(&pages, add_definition, &rows);
    if (status != STATUS_OK || !cli_is_table(cli)) return status;
    if (table_rows(&rows.table) == 0) {
        tell("no definitions; register one: sagactl definitions apply FILE");
        return STATUS_OK;
    }
    struct buffer out = buffer_in(&cli->arena);
    table_print(&rows.table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
    return STATUS_OK;
}

/* ---- get ---- */

/* What the step does: "topic type", or the kind and its name. */
static struct bytes does_text(struct cli *cli, const struct json_view *step)
{
    static const char *const OTHERS[] = {"saga", "signal", "delay"};
    static const char *const NAMED[] = {"name", "for", "until"}; /* by which it is told */
    const struct json_view *action = json_value(step, "action");
    struct buffer text = buffer_in(&cli->arena);
    if (action != NULL) {
        const struct bytes type = json_text(action, "type");
        buffer_add_bytes(&text, json_text(action, "topic"));
        buffer_add_char(&text, ' ');
        buffer_add_bytes(&text, type.size > 0 ? type : json_text(step, "id"));
    }
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        const struct json_view *other = json_value(step, OTHERS[i]);
        if (other == NULL) continue;
        buffer_add_format(&text, "%s ", OTHERS[i]);
        for (size_t k = 0; k < sizeof NAMED / sizeof NAMED[0]; k++) {
            buffer_add_bytes(&text, json_text(other, NAMED[k]));
        }
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

static struct bytes after_text(struct cli *cli, const struct json_view *step, struct bytes before)
{
    const struct json_view *depends_on = json_view_member(step, "depends_on");
    if (depends_on == NULL) return before;
    struct buffer text = buffer_in(&cli->arena);
    for (const struct json_view *each = depends_on->child; each != NULL; each = each->next) {
        if (text.size > 0) buffer_add_text(&text, ", ");
        buffer_add_bytes(&text, json_plain(each, &cli->arena));
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

static struct bytes rules_text(struct cli *cli, const struct json_view *step)
{
    struct buffer text = buffer_in(&cli->arena);
    if (json_true(step, "pivot")) buffer_add_text(&text, "pivot ");
    const struct json_view *foreach = json_value(step, "foreach");
    if (foreach != NULL) {
        buffer_add_text(&text, "for each of ");
        buffer_add_bytes(&text, json_text(foreach, "in"));
        buffer_add_char(&text, ' ');
    }
    const struct bytes when = json_text(step, "when");
    if (when.size > 0) {
        buffer_add_text(&text, "when ");
        buffer_add_bytes(&text, when);
        buffer_add_char(&text, ' ');
    }
    const struct bytes on_failure = json_text(step, "on_failure");
    if (on_failure.size > 0) {
        buffer_add_text(&text, "on failure ");
        buffer_add_bytes(&text, on_failure);
        buffer_add_char(&text, ' ');
    }
    const struct bytes on_unknown = json_text(step, "on_unknown");
    if (on_unknown.size > 0) {
        buffer_add_text(&text, "if unknown ");
        buffer_add_bytes(&text, on_unknown);
    }
    while (text.size > 0 && text.data[text.size - 1] == ' ') {
        text.size--;
    }
    return text.size > 0 ? buffer_bytes(&text) : BYTES("");
}

static struct bytes undo_text(const struct json_view *step)
{
    const struct json_view *undo = json_view_member(step, "compensation");
    if (undo == NULL) return BYTES("");
    if (undo->type == VIEW_NULL) return BYTES("nothing to undo");
    const struct bytes type = json_text(undo, "type");
    return type.size > 0 ? type : json_text(undo, "topic");
}

static void print_definition(struct cli *cli, const struct json_view *item)
{
    static const char *const HEADINGS[] = {"STEP", "AFTER", "DOES", "UNDO", "RULES"};
    const struct json_view *definition = json_value(item, "definition");
    struct table table = table_in(&cli->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    struct bytes before = BYTES("");
    for (const struct json_view *step = json_items(definition, "steps"); step != NULL;
         step = step->next) {
        table_add(&table, STYLE_BOLD, json_text(step, "id"));
        table_add(&table, STYLE_PLAIN, after_text(cli, step, before));
        table_add(&table, STYLE_PLAIN, does_text(cli, step));
        table_add(&table, STYLE_PLAIN, undo_text(step));
        table_add(&table, STYLE_DIM, rules_text(cli, step));
        before = json_text(step, "id");
    }
    char ago[TIMES_TEXT_SIZE];
    times_ago(times_now_ms(), json_time(item, "created_at"), ago);
    struct buffer head = buffer_in(&cli->arena);
    buffer_add_bytes(&head, json_text(item, "name"));
    buffer_add_format(&head, " v%" PRId64 ", registered %s%s%s", json_int(item, "version", 0), ago,
                      *flags_text(item) != '\0' ? ", " : "", flags_text(item));
    struct buffer out = buffer_in(&cli->arena);
    terminal_add_text(&out, &cli->terminal, STYLE_BOLD, buffer_bytes(&head), 0);
    buffer_add_char(&out, '\n');
    const struct bytes description = json_text(definition, "description");
    if (description.size > 0) {
        buffer_add_text(&out, "  ");
        terminal_add_text(&out, &cli->terminal, STYLE_PLAIN, description, 0);
        buffer_add_char(&out, '\n');
    }
    buffer_add_char(&out, '\n');
    table_print(&table, &cli->terminal, "  ", &out);
    terminal_put(buffer_bytes(&out));
}

enum status run_definitions_get(struct cli *cli)
{
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/definitions/");
    path_add(&path, cli_word(cli, 0));
    if (cli_word(cli, 1) != NULL) {
        buffer_add_text(&path, "/versions/");
        path_add(&path, cli_word(cli, 1));
    }
    const struct request request = {.path = path.data};
    struct answer answer;
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK || cli_print_raw(cli, &answer)) return status;
    print_definition(cli, answer.json);
    return STATUS_OK;
}
