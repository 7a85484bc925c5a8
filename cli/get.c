/* Reading one saga: get, steps, history, why. */
#include "cli/command.h"
#include "cli/history.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/sagas.h"
#include "cli/show.h"
#include "cli/times.h"

#include <stdio.h>

static struct show show_now(struct cli *cli)
{
    return (struct show){.terminal = &cli->terminal,
                         .arena = &cli->arena,
                         .wide = cli->format == FORMAT_WIDE,
                         .now_ms = times_now_ms()};
}

static enum status fetch(struct cli *cli, const char *id, const char *below,
                         struct answer *ret_answer)
{
    const struct request request = {.path = sagas_path(&cli->arena, id, below)};
    return client_call(cli->client, &request, &cli->arena, ret_answer);
}

static enum status get_one(struct cli *cli, const char *id)
{
    struct answer saga;
    enum status status = fetch(cli, id, "", &saga);
    if (status != STATUS_OK || cli_print_raw(cli, &saga)) return status;
    struct answer steps;
    status = fetch(cli, id, "/steps", &steps);
    if (status != STATUS_OK) return status;
    const struct show show = show_now(cli);
    struct buffer out = buffer_in(&cli->arena);
    show_saga(&show, saga.json, &out);
    buffer_add_char(&out, '\n');
    show_steps(&show, json_items(steps.json, "items"), 0, &out);
    terminal_put(buffer_bytes(&out));
    return STATUS_OK;
}

static enum status why_one(struct cli *cli, const char *id)
{
    struct answer why;
    const enum status status = fetch(cli, id, "/why", &why);
    if (status != STATUS_OK) return status;
    if (cli->format == FORMAT_ID) {
        (void)printf("%s\n", id);
    } else if (!cli_print_raw(cli, &why)) {
        const struct show show = show_now(cli);
        struct buffer out = buffer_in(&cli->arena);
        show_why(&show, why.json, &out);
        terminal_put(buffer_bytes(&out));
    }
    return STATUS_OK;
}

/* Each word is an id; goes on after a refusal and reports the first. */
static enum status for_each_id(struct cli *cli, enum status (*one)(struct cli *, const char *))
{
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        if (i > 0 && cli_is_table(cli)) (void)putchar('\n');
        status = status_first(status, one(cli, cli_word(cli, i)));
    }
    return status;
}

enum status run_get(struct cli *cli)
{
    return for_each_id(cli, get_one);
}

enum status run_why(struct cli *cli)
{
    return for_each_id(cli, why_one);
}

static void print_items(struct cli *cli, const struct json_view *items)
{
    for (const struct json_view *each = items; each != NULL; each = each->next) {
        if (cli->format == FORMAT_JSONL) {
            cli_print_line(cli, each);
            continue;
        }
        const struct bytes name =
            show_step_name(&cli->arena, json_text(each, "id"), json_value(each, "index"));
        (void)printf("%.*s\n", (int)name.size, name.data);
    }
}

enum status run_steps(struct cli *cli)
{
    struct answer steps;
    const enum status status = fetch(cli, cli_word(cli, 0), "/steps", &steps);
    if (status != STATUS_OK) return status;
    const struct json_view *items = json_items(steps.json, "items");
    if (cli->format == FORMAT_JSON) {
        cli_print_body(steps.body);
    } else if (!cli_is_table(cli)) {
        print_items(cli, items);
    } else {
        const struct show show = show_now(cli);
        struct buffer out = buffer_in(&cli->arena);
        show_steps(&show, items, 0, &out);
        terminal_put(buffer_bytes(&out));
    }
    return STATUS_OK;
}

/* The same bytes in every format: it is made to be kept. */
enum status run_export(struct cli *cli)
{
    struct answer export;
    const enum status status = fetch(cli, cli_word(cli, 0), "/export", &export);
    if (status == STATUS_OK) cli_print_body(export.body);
    return status;
}

struct rows {
    struct history_lines lines;
    struct cli *cli;
};

static void print_row(void *context, const struct json_view *item)
{
    struct rows *rows = context;
    struct buffer out = buffer_in(&rows->cli->arena);
    history_line(&rows->lines, item, &out);
    (void)fwrite(out.data, 1, out.size, stdout);
}

enum status run_history(struct cli *cli)
{
    const char *path = sagas_path(&cli->arena, cli_word(cli, 0), "/history");
    struct pages pages;
    if (!pages_begin(cli, path, INT64_MAX, &pages)) return STATUS_USAGE;
    struct rows rows = {
        .cli = cli,
        .lines = {
                  .terminal = &cli->terminal, .arena = &cli->arena, .wide = cli->format == FORMAT_WIDE}
    };
    return pages_print(&pages, print_row, &rows);
}
