/* Who waits for whom: locks with their holders and lines. */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/times.h"

struct rows {
    struct cli *cli;
    struct table table;
};

static void add_row(void *context, const struct json_view *item)
{
    struct rows *rows = context;
    struct arena *arena = &rows->cli->arena;
    struct table *table = &rows->table;
    const struct json_view *holder = json_items(item, "holders");
    const struct json_view *next = json_items(item, "next");
    char since[TIMES_TEXT_SIZE] = "";
    if (json_value(item, "waiting_since") != NULL) {
        times_ago(times_now_ms(), json_time(item, "waiting_since"), since);
    }
    table_add(table, STYLE_PLAIN, json_text(item, "definition"));
    table_add(table, STYLE_BOLD, json_text(item, "key"));
    table_add(table, STYLE_PLAIN, json_plain(json_value(item, "limit"), arena));
    table_add(table, STYLE_PLAIN, json_plain(json_value(item, "held"), arena));
    table_add(table, STYLE_PLAIN, holder == NULL ? BYTES("") : holder->string);
    table_add(table, STYLE_WARN, json_plain(json_value(item, "waiting"), arena));
    table_add(table, STYLE_PLAIN, next == NULL ? BYTES("") : next->string);
    table_add_text(table, STYLE_PLAIN, since);
}

static const char *list_path(struct cli *cli)
{
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/locks");
    if (cli_word(cli, 0) != NULL) path_add_query(&path, "definition", cli_word(cli, 0));
    if (cli_word(cli, 0) != NULL && cli_word(cli, 1) != NULL) {
        path_add_query(&path, "key", cli_word(cli, 1));
    }
    if (arguments_has(&cli->arguments, OPTION_WAITING)) path_add_query(&path, "waiting", "true");
    return path.data;
}

enum status run_locks(struct cli *cli)
{
    enum { SHOWN = 50 };
    static const char *const HEADINGS[] = {"DEFINITION", "KEY",     "LIMIT", "OPEN",
                                           "HOLDER",     "WAITING", "NEXT",  "SINCE"};
    struct pages pages;
    if (!pages_begin(cli, list_path(cli), SHOWN, &pages)) return STATUS_USAGE;
    struct rows rows = {.cli = cli, .table = table_in(&cli->arena)};
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&rows.table, HEADINGS[i]);
    }
    return pages_print_table(&pages, add_row, &rows, &rows.table, "no lock is held or waited for");
}
