#include "cli/command.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/show.h"
#include "cli/times.h"

#include <stdio.h>

/* Options that are query parameters, as the server names them. */
static const struct {
    enum option option;
    const char *parameter;
} FILTERS[] = {
    {OPTION_STATE,      "state"     },
    {OPTION_DEFINITION, "definition"},
    {OPTION_VERSION,    "version"   },
    {OPTION_LABEL,      "label"     },
    {OPTION_ATTRIBUTE,  "attribute" },
    {OPTION_ATTENTION,  "attention" },
    {OPTION_PARENT,     "parent"    },
};

/* A time, or a duration before now. */
static bool add_time(struct cli *cli, struct buffer *path, enum option option,
                     const char *parameter)
{
    const char *value = arguments_text(&cli->arguments, option);
    if (value == NULL) return true;
    char printed[TIMES_TEXT_SIZE];
    uint64_t ago_ms = 0;
    if (times_parse(bytes_of(value)) != 0) {
        path_add_query(path, parameter, value);
        return true;
    }
    if (!arguments_duration(&cli->arguments, option, 0, &ago_ms)) return false;
    times_print(times_now_ms() - (int64_t)ago_ms, printed);
    path_add_query(path, parameter, printed);
    return true;
}

static bool add_filter(struct cli *cli, struct buffer *path)
{
    for (size_t i = 0; i < sizeof FILTERS / sizeof FILTERS[0]; i++) {
        const char *value = NULL;
        for (size_t n = 0; (value = arguments_nth(&cli->arguments, FILTERS[i].option, n)) != NULL;
             n++) {
            path_add_query(path, FILTERS[i].parameter, value);
        }
    }
    return add_time(cli, path, OPTION_CREATED_AFTER, "created_after") &&
           add_time(cli, path, OPTION_CREATED_BEFORE, "created_before");
}

struct rows {
    struct show show;
    struct table table;
};

static void add_row(void *context, const struct json_view *saga)
{
    struct rows *rows = context;
    show_saga_row(&rows->show, &rows->table, saga);
}

enum status run_list(struct cli *cli)
{
    enum { SHOWN = 50 };
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/sagas");
    if (!add_filter(cli, &path)) return STATUS_USAGE;
    struct pages pages;
    if (!pages_begin(cli, path.data, SHOWN, &pages)) return STATUS_USAGE;
    struct rows rows = {
        .show = {.terminal = &cli->terminal,
                 .arena = &cli->arena,
                 .wide = cli->format == FORMAT_WIDE,
                 .now_ms = times_now_ms()}
    };
    rows.table = show_saga_table(&rows.show);
    const enum status status = pages_print(&pages, add_row, &rows);
    if (status != STATUS_OK) return status;
    if (cli_is_table(cli) && table_rows(&rows.table) > 0) {
        struct buffer out = buffer_in(&cli->arena);
        table_print(&rows.table, &cli->terminal, "", &out);
        terminal_put(buffer_bytes(&out));
    } else if (cli_is_table(cli)) {
        tell("no sagas");
    }
    if (pages.more && cli_is_table(cli)) tell("there are more; --all or --limit N shows them");
    return STATUS_OK;
}

enum status run_count(struct cli *cli)
{
    struct buffer path = buffer_in(&cli->arena);
    struct answer answer;
    buffer_add_text(&path, "/v1/sagas/count");
    if (!add_filter(cli, &path)) return STATUS_USAGE;
    if (arguments_has(&cli->arguments, OPTION_EXACT)) path_add_query(&path, "exact", "true");
    const enum status status =
        client_call(cli->client, &(struct request){.path = path.data}, &cli->arena, &answer);
    if (status != STATUS_OK) return status;
    if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL) {
        cli_print_body(answer.body);
        return STATUS_OK;
    }
    (void)printf("%lld\n", (long long)json_int(answer.json, "count", 0));
    if (!json_true(answer.json, "exact")) {
        tell("this is an estimate%s", arguments_has(&cli->arguments, OPTION_EXACT)
                                          ? ": counting took too long"
                                          : "; --exact counts");
    }
    return STATUS_OK;
}
