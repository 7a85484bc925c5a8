/* schedules: list, show, apply, delete, and what operators do with them. */
#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/problem.h"
#include "cli/table.h"
#include "cli/times.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FILE_SIZE_MAX = 1024 * 1024, SHOWN = 50, NEXT_DEFAULT = 10, NEXT_MAX = 100 };

static char *path_of(struct cli *cli, const char *name, const char *verb)
{
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/schedules/");
    path_add(&path, name);
    buffer_add_text(&path, verb);
    return path.data;
}

static void print_table(struct cli *cli, const struct table *table)
{
    struct buffer out = buffer_in(&cli->arena);
    table_print(table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
}

/* ---- list and get ---- */

struct rows {
    struct cli *cli;
    struct table table;
};

static struct bytes definition_text(struct cli *cli, const struct json_view *schedule)
{
    const struct json_view *definition = json_value(schedule, "definition");
    if (definition == NULL || definition->type != VIEW_OBJECT) {
        return json_plain(definition, &cli->arena);
    }
    struct buffer text = buffer_in(&cli->arena);
    buffer_add_bytes(&text, json_text(definition, "name"));
    buffer_add_format(&text, " v%" PRId64, json_int(definition, "version", 0));
    return buffer_bytes(&text);
}

static struct bytes words_text(struct cli *cli, const struct json_view *first)
{
    struct buffer text = buffer_in(&cli->arena);
    for (const struct json_view *each = first; each != NULL; each = each->next) {
        if (text.size > 0) buffer_add_text(&text, ", ");
        buffer_add_bytes(&text, json_plain(each, &cli->arena));
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

static void add_time(struct table *table, const struct json_view *view, const char *name)
{
    char text[TIMES_TEXT_SIZE];
    times_ago(times_now_ms(), json_time(view, name), text);
    table_add_text(table, STYLE_PLAIN, text);
}

static void add_schedule(void *context, const struct json_view *item)
{
    struct rows *rows = context;
    struct cli *cli = rows->cli;
    table_add(&rows->table, STYLE_BOLD, json_text(item, "name"));
    table_add(&rows->table, STYLE_PLAIN, definition_text(cli, item));
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "cron"));
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "time_zone"));
    add_time(&rows->table, item, "next_at");
    add_time(&rows->table, item, "last_at");
    table_add(&rows->table, STYLE_WARN, words_text(cli, json_items(item, "attention")));
    if (cli->format != FORMAT_WIDE) return;
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "catch_up"));
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "overlap"));
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "last_saga"));
}

enum status run_schedules_list(struct cli *cli)
{
    static const char *const HEADINGS[] = {"NAME",    "DEFINITION", "CRON",      "TIME ZONE",
                                           "NEXT",    "LAST",       "ATTENTION", "CATCH UP",
                                           "OVERLAP", "LAST SAGA"};
    const size_t columns = cli->format == FORMAT_WIDE ? 10 : 7;
    struct pages pages;
    if (!pages_begin(cli, "/v1/schedules", SHOWN, &pages)) return STATUS_USAGE;
    struct rows rows = {.cli = cli, .table = table_in(&cli->arena)};
    for (size_t i = 0; i < columns; i++) {
        table_column(&rows.table, HEADINGS[i]);
    }
    return pages_print_table(&pages, add_schedule, &rows, &rows.table,
                             "no schedules; make one: sagactl schedules apply FILE");
}

static void add_pair(struct table *table, const char *name, struct bytes value)
{
    table_add_text(table, STYLE_DIM, name);
    table_add(table, STYLE_PLAIN, value);
}

static void print_schedule(struct cli *cli, const struct json_view *schedule)
{
    static const char *const MEMBERS[] = {
        "cron",   "time_zone", "input",   "catch_up",  "catch_up_window", "overlap",
        "paused", "next_at",   "last_at", "last_saga", "waiting",         "started",
        "missed", "skipped",   "failed",  "last_error"};
    struct table table = table_in(&cli->arena);
    table_column(&table, "MEMBER");
    table_column(&table, "VALUE");
    add_pair(&table, "name", json_text(schedule, "name"));
    add_pair(&table, "definition", definition_text(cli, schedule));
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
        add_pair(&table, MEMBERS[i], json_plain(json_value(schedule, MEMBERS[i]), &cli->arena));
    }
    print_table(cli, &table);
}

enum status run_schedules_get(struct cli *cli)
{
    const struct request request = {.path = path_of(cli, cli_word(cli, 0), "")};
    struct answer answer;
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK || cli_print_raw(cli, &answer)) return status;
    print_schedule(cli, answer.json);
    return STATUS_OK;
}

/* ---- what was and what will be ---- */

static void add_event(void *context, const struct json_view *item)
{
    struct rows *rows = context;
    struct arena *arena = &rows->cli->arena;
    const struct bytes reason = json_text(item, "reason");
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "at"));
    table_add(&rows->table, STYLE_BOLD, json_text(item, "kind"));
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "scheduled_at"));
    table_add(&rows->table, STYLE_PLAIN, json_plain(json_value(item, "count"), arena));
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "saga"));
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "actor"));
    table_add(&rows->table, STYLE_PLAIN, reason.size > 0 ? reason : json_text(item, "detail"));
}

enum status run_schedules_history(struct cli *cli)
{
    static const char *const HEADINGS[] = {"AT", "WHAT", "TIME", "COUNT", "SAGA", "BY", "WHY"};
    struct pages pages;
    if (!pages_begin(cli, path_of(cli, cli_word(cli, 0), "/history"), SHOWN, &pages)) {
        return STATUS_USAGE;
    }
    struct rows rows = {.cli = cli, .table = table_in(&cli->arena)};
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&rows.table, HEADINGS[i]);
    }
    const enum status status = pages_print(&pages, add_event, &rows);
    if (status != STATUS_OK || !cli_is_table(cli)) return status;
    print_table(cli, &rows.table);
    if (pages.more) tell("there are more; --all or --limit N shows them");
    return STATUS_OK;
}

static void print_times(struct cli *cli, const struct json_view *first)
{
    struct table table = table_in(&cli->arena);
    table_column(&table, "AT");
    table_column(&table, "LOCAL");
    for (const struct json_view *each = first; each != NULL; each = each->next) {
        table_add(&table, STYLE_PLAIN, json_text(each, "at"));
        table_add(&table, STYLE_BOLD, json_text(each, "local"));
    }
    print_table(cli, &table);
}

enum status run_schedules_next(struct cli *cli)
{
    int64_t count = 0;
    if (!arguments_number(&cli->arguments, OPTION_LIMIT, 1, NEXT_MAX, NEXT_DEFAULT, &count)) {
        return STATUS_USAGE;
    }
    struct buffer path = buffer_in(&cli->arena);
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, count);
    buffer_add_text(&path, path_of(cli, cli_word(cli, 0), "/preview"));
    path_add_query(&path, "count", text);
    const struct request request = {.path = path.data};
    struct answer answer;
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK || cli_print_raw(cli, &answer)) return status;
    print_times(cli, json_items(answer.json, "items"));
    return STATUS_OK;
}

/* ---- apply ---- */

/* The body with --reason where the file gives none. */
static struct bytes body_of(struct cli *cli, const struct json_view *schedule)
{
    const char *reason = arguments_text(&cli->arguments, OPTION_REASON);
    if (reason == NULL || json_view_member(schedule, "reason") != NULL || schedule->count == 0) {
        return schedule->text;
    }
    struct buffer body = buffer_in(&cli->arena);
    buffer_add_text(&body, "{\"reason\":");
    json_write_text(&body, reason);
    buffer_add_char(&body, ',');
    buffer_add(&body, schedule->text.data + 1, schedule->text.size - 1);
    return buffer_bytes(&body);
}

static enum status apply_file(struct cli *cli, const char *file, struct table *table)
{
    const bool dry = arguments_has(&cli->arguments, OPTION_DRY_RUN);
    const struct json_view *schedule = NULL;
    struct json_error error;
    struct bytes text;
    if (!files_read(file, FILE_SIZE_MAX, &cli->arena, &text)) return STATUS_ERROR;
    if (!json_view_parse(text, &cli->arena, &schedule, &error)) {
        return tell_error(STATUS_ERROR, "%s, byte %zu: %s", file, error.offset, error.what);
    }
    const struct bytes name = bytes_copy(&cli->arena, json_text(schedule, "name"));
    if (name.size == 0) {
        return tell_error(STATUS_ERROR, "%s names no schedule: it needs a \"name\"", file);
    }
    const struct request request = {
        .method = "PUT",
        .path = path_of(cli, name.data, dry ? "?dry_run=true" : ""),
        .body = body_of(cli, schedule),
        .idempotency_key = dry ? NULL : arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    struct answer answer;
    const enum status status = client_try(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK || answer.json == NULL) {
        tell_error(status, "%s was not applied", file);
        problem_tell(cli->client, &answer, &cli->arena);
        return status_first(status, STATUS_ERROR);
    }
    if (cli_print_raw(cli, &answer)) return STATUS_OK;
    if (dry) {
        tell("%s would be valid; it would start at", file);
        print_times(cli, json_items(answer.json, "next"));
        return STATUS_OK;
    }
    table_add(table, STYLE_BOLD, name);
    table_add_text(table, STYLE_GOOD, answer.http_status == 201 ? "new" : "applied");
    table_add(table, STYLE_PLAIN, json_text(answer.json, "next_at"));
    table_add_text(table, STYLE_PLAIN, file);
    return STATUS_OK;
}

enum status run_schedules_apply(struct cli *cli)
{
    static const char *const HEADINGS[] = {"NAME", "RESULT", "NEXT", "FILE"};
    struct table table = table_in(&cli->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    if (!cli_key_fits(cli)) return STATUS_USAGE;
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        status = status_first(status, apply_file(cli, cli_word(cli, i), &table));
    }
    if (table_rows(&table) > 0) print_table(cli, &table);
    return status;
}

/* ---- verbs ---- */

static enum status act(struct cli *cli, const char *name, const char *method, const char *verb,
                       struct answer *ret_answer)
{
    const char *reason = arguments_text(&cli->arguments, OPTION_REASON);
    struct buffer body = buffer_in(&cli->arena);
    buffer_add_char(&body, '{');
    if (reason != NULL) {
        buffer_add_text(&body, "\"reason\":");
        json_write_text(&body, reason);
    }
    buffer_add_char(&body, '}');
    const struct request request = {.method = method,
                                    .path = path_of(cli, name, verb),
                                    .body = buffer_bytes(&body),
                                    .idempotency_key =
                                        arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    return client_call(cli->client, &request, &cli->arena, ret_answer);
}

static enum status act_on_each(struct cli *cli, const char *method, const char *verb,
                               const char *done)
{
    if (!cli_key_fits(cli)) return STATUS_USAGE;
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        struct answer answer;
        const enum status each = act(cli, cli_word(cli, i), method, verb, &answer);
        status = status_first(status, each);
        if (each == STATUS_OK && !cli_print_raw(cli, &answer)) {
            tell("%s: %s", cli_word(cli, i), done);
        }
    }
    return status;
}

enum status run_schedules_delete(struct cli *cli)
{
    if (!cli_confirm(cli, "delete %zu for good?", cli->arguments.word_count)) {
        tell("left as it is");
        return STATUS_ERROR;
    }
    return act_on_each(cli, "DELETE", "", "deleted");
}

enum status run_schedules_pause(struct cli *cli)
{
    return act_on_each(cli, "POST", "/pause", "paused");
}

enum status run_schedules_resume(struct cli *cli)
{
    return act_on_each(cli, "POST", "/resume", "resumed");
}

/* The saga's id is what a script wants. */
enum status run_schedules_trigger(struct cli *cli)
{
    struct answer answer;
    const enum status status = act(cli, cli_word(cli, 0), "POST", "/trigger", &answer);
    if (status != STATUS_OK) return status;
    const struct bytes saga = json_text(json_value(answer.json, "triggered"), "saga");
    if (cli->format == FORMAT_ID) {
        (void)printf("%.*s\n", (int)saga.size, saga.data);
    } else if (!cli_print_raw(cli, &answer)) {
        tell("%s: triggered; the saga is %.*s", cli_word(cli, 0), (int)saga.size, saga.data);
    }
    return STATUS_OK;
}
