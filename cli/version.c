/* version: ours, and the server's when it answers. */
#include "cli/command.h"
#include "cli/json.h"

#include <stdio.h>

static void print_json(struct cli *cli, const struct json_view *server)
{
    struct buffer out = buffer_in(&cli->arena);
    buffer_add_format(&out, "{\"sagactl\":{\"version\":\"%s\"},\"sagad\":", SAGACTL_VERSION);
    if (server != NULL) {
        json_write_compact(&out, server);
    } else {
        buffer_add_text(&out, "null");
    }
    buffer_add_text(&out, "}\n");
    terminal_put(buffer_bytes(&out));
}

static void print_text(struct cli *cli, const struct json_view *server)
{
    (void)printf("sagactl %s\n", SAGACTL_VERSION);
    if (server == NULL) {
        tell("sagad: no answer from %s", client_url(cli->client));
        return;
    }
    const struct bytes commit = json_text(server, "commit");
    struct buffer out = buffer_in(&cli->arena);
    buffer_add_text(&out, "sagad   ");
    terminal_add_text(&out, &cli->terminal, STYLE_PLAIN, json_text(server, "version"), 0);
    if (commit.size > 0) {
        buffer_add_text(&out, " (");
        terminal_add_text(&out, &cli->terminal, STYLE_PLAIN, commit, 0);
        buffer_add_char(&out, ')');
    }
    buffer_add_format(&out, " at %s\n", client_url(cli->client));
    terminal_put(buffer_bytes(&out));
}

enum status run_version(struct cli *cli)
{
    const struct request request = {.path = "/version", .patience_ms = 1};
    struct answer answer;
    const bool answered = client_try(cli->client, &request, &cli->arena, &answer) == STATUS_OK;
    const struct json_view *server = answered ? answer.json : NULL;
    switch (cli->format) {
    case FORMAT_JSON:
    case FORMAT_JSONL: print_json(cli, server); break;
    case FORMAT_ID: (void)printf("%s\n", SAGACTL_VERSION); break;
    case FORMAT_TABLE:
    case FORMAT_WIDE: print_text(cli, server); break;
    }
    return STATUS_OK;
}
