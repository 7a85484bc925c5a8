/* version: ours, and the server's when it answers. */
#include "cli/command.h"
#include "cli/json.h"

#include <stdio.h>

enum status run_version(struct cli *cli)
{
    const struct request request = {.path = "/version", .patience_ms = 1};
    struct answer answer;
    const bool answered =
        client_try(cli->client, &request, &cli->arena, &answer) == STATUS_OK && answer.json != NULL;
    switch (cli->format) {
    case FORMAT_JSON:
    case FORMAT_JSONL: {
        struct buffer out = buffer_in(&cli->arena);
        buffer_add_format(&out, "{\"sagactl\":{\"version\":\"%s\"},\"sagad\":", SAGACTL_VERSION);
        if (answered)
            json_write_compact(&out, answer.json);
        else
            buffer_add_text(&out, "null");
        buffer_add_text(&out, "}\n");
        terminal_put(buffer_bytes(&out));
        return STATUS_OK;
    }
    case FORMAT_ID: (void)printf("%s\n", SAGACTL_VERSION); return STATUS_OK;
    case FORMAT_TABLE:
    case FORMAT_WIDE: break;
    }
    (void)printf("sagactl %s\n", SAGACTL_VERSION);
    if (!answered) {
        tell("sagad: no answer from %s", client_url(cli->client));
        return STATUS_OK;
    }
    const struct bytes version = json_text(answer.json, "version");
    const struct bytes commit = json_text(answer.json, "commit");
    (void)printf("sagad   %.*s", (int)version.size, version.data != NULL ? version.data : "");
    if (commit.size > 0) (void)printf(" (%.*s)", (int)commit.size, commit.data);
    (void)printf(" at %s\n", client_url(cli->client));
    return STATUS_OK;
}
