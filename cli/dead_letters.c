/* Replies that could not be taken: list, take again, put aside. */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/times.h"

#include <inttypes.h>
#include <string.h>

struct rows {
    struct cli *cli;
    struct table table;
};

static void add_row(void *context, const struct json_view *item)
{
    struct rows *rows = context;
    struct arena *arena = &rows->cli->arena;
    char ago[TIMES_TEXT_SIZE];
    times_ago(times_now_ms(), json_time(item, "at"), ago);
    struct buffer place = buffer_in(arena);
    buffer_add_bytes(&place, json_text(item, "topic"));
    buffer_add_format(&place, "/%" PRId64 "@%" PRId64, json_int(item, "partition", 0),
                      json_int(item, "offset", 0));
    table_add(&rows->table, STYLE_PLAIN, json_plain(json_value(item, "id"), arena));
    table_add_text(&rows->table, STYLE_PLAIN, ago);
    table_add(&rows->table, STYLE_WARN, json_text(item, "reason"));
    table_add(&rows->table, STYLE_PLAIN, buffer_bytes(&place));
    if (rows->cli->format == FORMAT_WIDE) {
        table_add(&rows->table, STYLE_PLAIN, json_plain(json_value(item, "headers"), arena));
    }
}

enum status run_dead_letters_list(struct cli *cli)
{
    enum { SHOWN = 50 };
    static const char *const HEADINGS[] = {"ID", "AT", "REASON", "RECORD", "HEADERS"};
    const size_t columns = cli->format == FORMAT_WIDE ? 5 : 4;
    struct pages pages;
    if (!pages_begin(cli, "/v1/dead-letters", SHOWN, &pages)) return STATUS_USAGE;
    struct rows rows = {.cli = cli, .table = table_in(&cli->arena)};
    for (size_t i = 0; i < columns; i++) {
        table_column(&rows.table, HEADINGS[i]);
    }
    return pages_print_table(&pages, add_row, &rows, &rows.table, "no dead letters");
}

static enum status settle(struct cli *cli, const char *id, const char *verb)
{
    const char *reason = arguments_text(&cli->arguments, OPTION_REASON);
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/dead-letters/");
    path_add(&path, id);
    buffer_add_format(&path, "/%s", verb);
    if (arguments_has(&cli->arguments, OPTION_DRY_RUN)) path_add_query(&path, "dry_run", "true");
    struct buffer body = buffer_in(&cli->arena);
    buffer_add_char(&body, '{');
    if (reason != NULL) {
        buffer_add_text(&body, "\"reason\":");
        json_write_text(&body, reason);
    }
    buffer_add_char(&body, '}');
    const struct request request = {.method = "POST",
                                    .path = path.data,
                                    .body = buffer_bytes(&body),
                                    .idempotency_key =
                                        arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    struct answer answer;
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK || cli_print_raw(cli, &answer)) return status;
    tell("%s: %s done", id, verb);
    return STATUS_OK;
}

static enum status settle_each(struct cli *cli, const char *verb)
{
    if (!cli_key_fits(cli)) return STATUS_USAGE;
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        status = status_first(status, settle(cli, cli_word(cli, i), verb));
    }
    return status;
}

enum status run_dead_letters_replay(struct cli *cli)
{
    return settle_each(cli, "replay");
}

enum status run_dead_letters_discard(struct cli *cli)
{
    const bool dry = arguments_has(&cli->arguments, OPTION_DRY_RUN);
    if (!dry && !cli_confirm(cli, "put %zu aside for good?", cli->arguments.word_count)) {
        tell("left as it is");
        return STATUS_ERROR;
    }
    return settle_each(cli, "discard");
}
