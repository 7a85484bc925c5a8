/* topics: how they do, and pause and resume. */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/times.h"

#include <string.h>

enum { SHOWN = 50 };

struct rows {
    struct cli *cli;
    struct table table;
};

static char *path_of(struct cli *cli, const char *name, const char *verb)
{
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/topics/");
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

static void add_plain(struct rows *rows, const struct json_view *topic, const char *name)
{
    table_add(&rows->table, STYLE_PLAIN, json_plain(json_value(topic, name), &rows->cli->arena));
}

static bool is_true(const struct json_view *topic, const char *name)
{
    const struct json_view *value = json_value(topic, name);
    return value != NULL && value->type == VIEW_TRUE;
}

static void add_topic(void *context, const struct json_view *topic)
{
    struct rows *rows = context;
    char last[TIMES_TEXT_SIZE];
    const struct bytes circuit = json_text(topic, "circuit");
    const bool closed = bytes_equal_text(circuit, "closed");
    times_ago(times_now_ms(), json_time(topic, "last_reply_at"), last);
    table_add(&rows->table, STYLE_BOLD, json_text(topic, "name"));
    table_add(&rows->table, STYLE_WARN,
              is_true(topic, "paused") ? json_text(topic, "paused_by") : BYTES(""));
    table_add(&rows->table, closed ? STYLE_PLAIN : STYLE_WARN, circuit);
    add_plain(rows, topic, "lag");
    add_plain(rows, topic, "participants");
    table_add_text(&rows->table, STYLE_PLAIN, last);
    add_plain(rows, topic, "error_rate");
    add_plain(rows, topic, "outstanding");
    add_plain(rows, topic, "waiting");
    if (rows->cli->format != FORMAT_WIDE) return;
    add_plain(rows, topic, "window");
    table_add(&rows->table, STYLE_PLAIN, json_text(topic, "reason"));
}

enum status run_topics_list(struct cli *cli)
{
    static const char *const HEADINGS[] = {"NAME",    "PAUSED BY",  "CIRCUIT", "LAG",
                                           "READERS", "LAST REPLY", "ERRORS",  "OUT",
                                           "WAITING", "WINDOW",     "REASON"};
    const size_t columns = cli->format == FORMAT_WIDE ? 11 : 9;
    struct pages pages;
    if (!pages_begin(cli, "/v1/topics", SHOWN, &pages)) return STATUS_USAGE;
    struct rows rows = {.cli = cli, .table = table_in(&cli->arena)};
    for (size_t i = 0; i < columns; i++) {
        table_column(&rows.table, HEADINGS[i]);
    }
    return pages_print_table(&pages, add_topic, &rows, &rows.table,
                             "no topics: this node has sent no command yet, and none is paused");
}

static void add_acts(struct cli *cli, const struct json_view *topic, struct table *table)
{
    for (const struct json_view *act = json_items(topic, "acts"); act != NULL; act = act->next) {
        struct buffer text = buffer_in(&cli->arena);
        buffer_add_bytes(&text, json_text(act, "verb"));
        buffer_add_text(&text, " by ");
        buffer_add_bytes(&text, json_text(act, "actor"));
        buffer_add_text(&text, " ");
        buffer_add_bytes(&text, json_text(act, "reason"));
        table_add(table, STYLE_DIM, json_text(act, "at"));
        table_add(table, STYLE_PLAIN, buffer_bytes(&text));
    }
}

static void print_topic(struct cli *cli, const struct json_view *topic)
{
    static const char *const MEMBERS[] = {
        "name",       "paused",        "paused_by",   "paused_at",    "reason",
        "circuit",    "circuit_since", "lag",         "participants", "last_reply_at",
        "error_rate", "window",        "outstanding", "waiting"};
    struct table table = table_in(&cli->arena);
    table_column(&table, "MEMBER");
    table_column(&table, "VALUE");
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
        table_add_text(&table, STYLE_DIM, MEMBERS[i]);
        table_add(&table, STYLE_PLAIN, json_plain(json_value(topic, MEMBERS[i]), &cli->arena));
    }
    add_acts(cli, topic, &table);
    print_table(cli, &table);
}

enum status run_topics_get(struct cli *cli)
{
    const struct request request = {.path = path_of(cli, cli_word(cli, 0), "")};
    struct answer answer;
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK || cli_print_raw(cli, &answer)) return status;
    print_topic(cli, answer.json);
    return STATUS_OK;
}

/* ---- pause and resume ---- */

static enum status act(struct cli *cli, const char *name, const char *verb,
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
    const struct request request = {.method = "POST",
                                    .path = path_of(cli, name, verb),
                                    .body = buffer_bytes(&body),
                                    .idempotency_key =
                                        arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    return client_call(cli->client, &request, &cli->arena, ret_answer);
}

static enum status act_on_each(struct cli *cli, const char *verb, const char *done)
{
    if (!cli_key_fits(cli)) return STATUS_USAGE;
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        struct answer answer;
        const enum status each = act(cli, cli_word(cli, i), verb, &answer);
        status = status_first(status, each);
        if (each == STATUS_OK && !cli_print_raw(cli, &answer)) {
            tell("%s: %s", cli_word(cli, i), done);
        }
    }
    return status;
}

enum status run_topics_pause(struct cli *cli)
{
    return act_on_each(cli, "/pause", "paused; its commands wait and no time of theirs runs");
}

enum status run_topics_resume(struct cli *cli)
{
    return act_on_each(cli, "/resume", "resumed");
}
