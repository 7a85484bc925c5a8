/*
 * cli/cli.h
 *   What a command is given to work with.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/terminal.h"

struct command;

enum format { FORMAT_TABLE, FORMAT_WIDE, FORMAT_JSON, FORMAT_JSONL, FORMAT_ID };

struct cli {
    const struct command *command;
    struct arguments arguments; /* options, and the words behind the command's name */
    struct arena arena;         /* lives as long as the command */
    struct terminal terminal;
    struct client *client; /* NULL for commands that need no server */
    const char *context;   /* name of the context in use; NULL: none */
    enum format format;
};

/* The word at `index`; NULL behind the last. */
const char *cli_word(const struct cli *cli, size_t index);
bool cli_is_table(const struct cli *cli); /* table or wide */
/* An --idempotency-key belongs to one request: false, told, when it is given for several ids. */
bool cli_key_fits(const struct cli *cli);
/* Ask on the terminal; true without asking when --yes is given or there is no terminal. */
__attribute__((format(printf, 2, 3))) bool cli_confirm(const struct cli *cli, const char *format,
                                                       ...);

/* Print an answer's body as it came, with a line end. */
void cli_print_body(struct bytes body);
/* One value on one line, its bytes kept. */
void cli_print_line(struct cli *cli, const struct json_view *view);
/* Print an answer that is one thing: json, jsonl and id; false for tables, nothing printed. */
bool cli_print_raw(struct cli *cli, const struct answer *answer);

#endif
