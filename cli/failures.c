/* What is wrong: stuck and retrying sagas in groups. */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/times.h"

#include <inttypes.h>

struct rows {
    struct cli *cli;
    struct table table;
};

static struct table new_table(struct cli *cli)
{
    static const char *const HEADINGS[] = {"ID", "COUNT", "STATE", "DEFINITION", "STEP",
                                           "OP", "CODE",  "SINCE", "LATEST"};
    struct table table = table_in(&cli->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    return table;
}

static void add_ago(struct table *table, const struct json_view *item, const char *member)
{
    char ago[TIMES_TEXT_SIZE];
    times_ago(times_now_ms(), json_time(item, member), ago);
    table_add_text(table, STYLE_PLAIN, ago);
}

static void add_row(void *context, const struct json_view *item)
{
    struct rows *rows = context;
    struct arena *arena = &rows->cli->arena;
    struct table *table = &rows->table;
    struct buffer definition = buffer_in(arena);
    buffer_add_bytes(&definition, json_text(item, "definition"));
    buffer_add_format(&definition, "/%" PRId64, json_int(item, "version", 0));
    table_add(table, STYLE_PLAIN, json_text(item, "id"));
    table_add(table, STYLE_BOLD, json_plain(json_value(item, "count"), arena));
    table_add(table, json_is(item, "state", "stuck") ? STYLE_BAD : STYLE_WARN,
              json_text(item, "state"));
    table_add(table, STYLE_PLAIN, buffer_bytes(&definition));
    table_add(table, STYLE_PLAIN, json_text(item, "step"));
    table_add(table, STYLE_PLAIN, json_text(item, "op"));
    table_add(table, STYLE_PLAIN, json_text(item, "code"));
    add_ago(table, item, "first_at");
    add_ago(table, item, "last_at");
}

static void print_table(struct cli *cli, const struct table *table)
{
    struct buffer out = buffer_in(&cli->arena);
    table_print(table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
}

static const char *list_path(struct cli *cli)
{
    struct buffer path = buffer_in(&cli->arena);
    const char *value = NULL;
    buffer_add_text(&path, "/v1/failures");
    for (size_t n = 0; (value = arguments_nth(&cli->arguments, OPTION_ONLY, n)) != NULL; n++) {
        path_add_query(&path, "state", value);
    }
    for (size_t n = 0; (value = arguments_nth(&cli->arguments, OPTION_DEFINITION, n)) != NULL;
         n++) {
        path_add_query(&path, "definition", value);
    }
    return path.data;
}

enum status run_failures_list(struct cli *cli)
{
    enum { SHOWN = 50 };
    struct pages pages;
    if (!pages_begin(cli, list_path(cli), SHOWN, &pages)) return STATUS_USAGE;
    struct rows rows = {.cli = cli, .table = new_table(cli)};
    return pages_print_table(&pages, add_row, &rows, &rows.table, "nothing is stuck or retrying");
}

static enum status show_one(struct cli *cli, const char *id)
{
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/failures/");
    path_add(&path, id);
    const struct request request = {.path = path.data};
    struct answer answer;
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK || cli_print_raw(cli, &answer)) return status;
    struct rows rows = {.cli = cli, .table = new_table(cli)};
    add_row(&rows, answer.json);
    print_table(cli, &rows.table);
    struct buffer out = buffer_in(&cli->arena);
    for (const struct json_view *each = json_items(answer.json, "sample"); each != NULL;
         each = each->next) {
        buffer_add_text(&out, "  ");
        terminal_add_text(&out, &cli->terminal, STYLE_PLAIN, json_plain(each, &cli->arena), 0);
        buffer_add_char(&out, '\n');
    }
    terminal_put(buffer_bytes(&out));
    return STATUS_OK;
}

enum status run_failures_show(struct cli *cli)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        status = status_first(status, show_one(cli, cli_word(cli, i)));
    }
    return status;
}
