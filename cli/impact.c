/*
 * cli/impact.c
 *   definitions impact: where open sagas stand, and which of them another version would break.
 */
#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"
#include "cli/table.h"

#include <inttypes.h>
#include <unistd.h>

enum { DEFINITION_FILE_MAX = 1024 * 1024 };

/* ---- asking ---- */

/* A file is a version that is not registered yet: it names itself. */
static bool read_file(struct cli *cli, const char *file, struct bytes *ret_text,
                      const char **ret_name)
{
    const struct json_view *view = NULL;
    struct json_error error;
    if (!files_read(file, DEFINITION_FILE_MAX, &cli->arena, ret_text)) return false;
    const bool read = json_view_parse(*ret_text, &cli->arena, &view, &error);
    const struct bytes name = read ? json_text(view, "name") : (struct bytes){0};
    if (name.size == 0) {
        tell_error(STATUS_USAGE, "%s is no definition: it has no name", file);
        return false;
    }
    *ret_name = bytes_copy(&cli->arena, name).data;
    return true;
}

static enum status make_body(struct cli *cli, const char **ret_name, struct bytes *ret_body)
{
    const char *const map = arguments_text(&cli->arguments, OPTION_STEP_MAP);
    const char *const word = cli_word(cli, 0);
    struct buffer body = buffer_in(&cli->arena);
    struct bytes text = {0};
    int64_t version = 0;
    if (!arguments_number(&cli->arguments, OPTION_VERSION, 1, UINT32_MAX, 0, &version)) {
        return STATUS_USAGE;
    }
    *ret_name = word;
    if (version > 0) {
        buffer_add_format(&body, "{\"version\":%" PRId64, version);
    } else if (access(word, R_OK) == 0) {
        if (!read_file(cli, word, &text, ret_name)) return STATUS_USAGE;
        buffer_add_text(&body, "{\"definition\":");
        buffer_add_bytes(&body, text);
    } else {
        return tell_error(STATUS_USAGE, "%s is no file; for a registered version say --version N",
                          word);
    }
    if (map != NULL) {
        if (!files_read_json(map, &cli->arena, &text)) return STATUS_USAGE;
        buffer_add_text(&body, ",\"step_map\":");
        buffer_add_bytes(&body, text);
    }
    buffer_add_char(&body, '}');
    *ret_body = buffer_bytes(&body);
    return STATUS_OK;
}

/* ---- showing ---- */

static struct bytes joined(struct cli *cli, const struct json_view *item, const char *list)
{
    struct buffer text = buffer_in(&cli->arena);
    for (const struct json_view *at = json_items(item, list); at != NULL; at = at->next) {
        if (text.size > 0) buffer_add_text(&text, ", ");
        buffer_add_bytes(&text, json_plain(at, &cli->arena));
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

static struct bytes reasons_of(struct cli *cli, const struct json_view *item)
{
    struct buffer text = buffer_in(&cli->arena);
    for (const struct json_view *at = json_items(item, "reasons"); at != NULL; at = at->next) {
        const struct bytes step = json_text(at, "step");
        if (text.size > 0) buffer_add_text(&text, "; ");
        buffer_add_bytes(&text, step);
        if (step.size > 0) buffer_add_char(&text, ' ');
        buffer_add_bytes(&text, json_text(at, "detail"));
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

static void print_impact(struct cli *cli, const struct json_view *impact)
{
    static const char *const HEADINGS[] = {"VERSION", "STATE", "AT", "SAGAS", "", "WHY"};
    struct table table = table_in(&cli->arena);
    struct buffer out = buffer_in(&cli->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    for (const struct json_view *item = json_items(impact, "items"); item != NULL;
         item = item->next) {
        const bool maps = json_true(item, "maps");
        table_add(&table, STYLE_PLAIN, json_plain(json_value(item, "version"), &cli->arena));
        table_add(&table, STYLE_PLAIN, json_text(item, "state"));
        table_add(&table, STYLE_BOLD, joined(cli, item, "steps"));
        table_add(&table, STYLE_PLAIN, json_plain(json_value(item, "count"), &cli->arena));
        table_add(&table, maps ? STYLE_GOOD : STYLE_BAD, maps ? BYTES("maps") : BYTES("breaks"));
        table_add(&table, STYLE_PLAIN, reasons_of(cli, item));
    }
    table_print(&table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
    tell("%" PRId64 " open sagas: %" PRId64 " map, %" PRId64 " break, %" PRId64
         " have that version already%s",
         json_int(impact, "total", 0), json_int(impact, "maps", 0), json_int(impact, "breaks", 0),
         json_int(impact, "already", 0),
         json_true(impact, "exact") ? "" : "; there are more than were looked at");
}

enum status run_definitions_impact(struct cli *cli)
{
    const char *name = NULL;
    struct bytes body;
    struct answer answer;
    struct buffer path = buffer_in(&cli->arena);
    enum status status = make_body(cli, &name, &body);
    if (status != STATUS_OK) return status;
    buffer_add_text(&path, "/v1/definitions/");
    path_add(&path, name);
    buffer_add_text(&path, "/impact");
    const struct request request = {.method = "POST", .path = path.data, .body = body};
    status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK) return status;
    if (!cli_print_raw(cli, &answer)) print_impact(cli, answer.json);
    return json_int(answer.json, "breaks", 0) > 0 ? STATUS_ERROR : STATUS_OK;
}
