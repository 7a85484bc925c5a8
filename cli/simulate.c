/*
 * cli/simulate.c
 *   definitions simulate: a rehearsal, of a file by the rules in here or of what a server has.
 *
 * Both give the same JSON, and the table is made of that.
 */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/problem.h"
#include "cli/rehearse.h"
#include "cli/table.h"

#include <inttypes.h>
#include <unistd.h>

/* ---- what a server has ---- */

static void add_member(struct buffer *body, const char *name, struct bytes json)
{
    if (json.data == NULL) return;
    buffer_add_format(body, ",\"%s\":", name);
    buffer_add_bytes(body, json);
}

static enum status ask_server(struct cli *cli, const char *name, struct bytes *ret_json)
{
    struct buffer path = buffer_in(&cli->arena);
    struct buffer body = buffer_in(&cli->arena);
    struct bytes input;
    struct bytes outputs;
    int64_t version = 0;
    if (!rehearse_option(cli, OPTION_INPUT, &input) ||
        !rehearse_option(cli, OPTION_ANSWERS, &outputs) ||
        !arguments_number(&cli->arguments, OPTION_VERSION, 1, UINT32_MAX, 0, &version)) {
        return STATUS_USAGE;
    }
    buffer_add_text(&path, "/v1/definitions/");
    path_add(&path, name);
    buffer_add_text(&path, "/simulate");
    buffer_add_format(&body, "{\"explore\":%s",
                      arguments_has(&cli->arguments, OPTION_EXPLORE) ? "true" : "false");
    add_member(&body, "input", input);
    add_member(&body, "outputs", outputs);
    if (version > 0) buffer_add_format(&body, ",\"version\":%" PRId64, version);
    buffer_add_char(&body, '}');
    const struct request request = {
        .method = "POST", .path = path.data, .body = buffer_bytes(&body)};
    struct answer answer = {0};
    const enum status status = client_try(cli->client, &request, &cli->arena, &answer);
    const struct json_view *const found = json_value(answer.json, "rehearsal");
    if (status != STATUS_OK || found == NULL) {
        tell_error(status, "%s was not rehearsed", name);
        problem_tell(cli->client, &answer, &cli->arena);
        return status_first(status, STATUS_ERROR);
    }
    *ret_json = found->text;
    return STATUS_OK;
}

/* ---- the table ---- */

static void add_faults(struct buffer *text, const struct json_view *faults)
{
    for (const struct json_view *fault = faults->child; fault != NULL; fault = fault->next) {
        const struct bytes op = json_text(fault, "op");
        const struct bytes how = json_text(fault, "how");
        if (text->size > 0) buffer_add_text(text, ", ");
        if (bytes_equal_text(op, "compensate")) buffer_add_text(text, "undo of ");
        if (bytes_equal_text(op, "probe")) buffer_add_text(text, "probe of ");
        buffer_add_bytes(text, json_text(fault, "step"));
        buffer_add_text(text, bytes_equal_text(how, "refuses")     ? " is refused"
                              : bytes_equal_text(how, "no_effect") ? " never arrives"
                                                                   : " is done unheard");
    }
    if (text->size == 0) buffer_add_text(text, "nothing goes wrong");
}

static void add_calls(struct buffer *text, const struct json_view *calls)
{
    for (const struct json_view *call = calls->child; call != NULL; call = call->next) {
        const struct bytes op = json_text(call, "op");
        const int64_t attempts = json_int(call, "attempts", 1);
        int64_t index = 0;
        if (text->size > 0) buffer_add_char(text, ' ');
        if (bytes_equal_text(op, "compensate")) buffer_add_char(text, '-');
        if (bytes_equal_text(op, "probe")) buffer_add_char(text, '?');
        buffer_add_bytes(text, json_text(call, "step"));
        if (json_view_int64(json_value(call, "index"), &index)) {
            buffer_add_format(text, "[%" PRId64 "]", index);
        }
        if (attempts > 1) buffer_add_format(text, "*%" PRId64, attempts);
    }
}

static enum style style_of(const struct json_view *run)
{
    const struct bytes end = json_text(run, "end");
    if (json_text(run, "problem").size > 0) return STYLE_BAD;
    if (bytes_equal_text(end, "succeeded")) return STYLE_GOOD;
    return bytes_equal_text(end, "compensated") ? STYLE_PLAIN : STYLE_WARN;
}

static void add_run(struct cli *cli, struct table *table, const struct json_view *run)
{
    struct buffer faults = buffer_in(&cli->arena);
    struct buffer calls = buffer_in(&cli->arena);
    add_faults(&faults, json_value(run, "faults"));
    add_calls(&calls, json_value(run, "calls"));
    table_add(table, STYLE_PLAIN, buffer_bytes(&faults));
    table_add(table, style_of(run), json_text(run, "end"));
    table_add(table, STYLE_BAD, json_text(run, "problem"));
    table_add(table, STYLE_DIM, calls.data == NULL ? BYTES("") : buffer_bytes(&calls));
}

static void print_table(struct cli *cli, const struct json_view *rehearsal)
{
    static const char *const HEADINGS[] = {"WHEN", "END", "PROBLEM", "CALLS"};
    struct table table = table_in(&cli->arena);
    struct buffer out = buffer_in(&cli->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    for (const struct json_view *run = json_value(rehearsal, "runs")->child; run != NULL;
         run = run->next) {
        add_run(cli, &table, run);
    }
    table_print(&table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
}

static enum status conclude(const struct json_view *rehearsal)
{
    const int64_t problems = json_int(rehearsal, "problems", 0);
    if (json_true(rehearsal, "truncated")) {
        tell("there would have been more runs; they were cut off");
    }
    if (problems == 0) return STATUS_OK;
    return tell_error(STATUS_ERROR, "%" PRId64 " of the ends leave something behind", problems);
}

enum status run_definitions_simulate(struct cli *cli)
{
    const char *const word = cli_word(cli, 0);
    const struct json_view *rehearsal = NULL;
    struct json_error error;
    struct bytes json = {0};
    const enum status status =
        access(word, F_OK) == 0 ? rehearse_file(cli, word, &json) : ask_server(cli, word, &json);
    if (status != STATUS_OK) return status;
    if (!json_view_parse(json, &cli->arena, &rehearsal, &error)) {
        return tell_error(STATUS_ERROR, "the answer is no JSON");
    }
    if (cli_is_table(cli)) {
        print_table(cli, rehearsal);
    } else {
        cli_print_body(json);
    }
    return conclude(rehearsal);
}
