#include "cli/cli.h"

#include "cli/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *cli_word(const struct cli *cli, size_t index)
{
    return index < cli->arguments.word_count ? cli->arguments.word[index] : NULL;
}

bool cli_is_table(const struct cli *cli)
{
    return cli->format == FORMAT_TABLE || cli->format == FORMAT_WIDE;
}

bool cli_key_fits(const struct cli *cli)
{
    if (cli_word(cli, 1) == NULL || !arguments_has(&cli->arguments, OPTION_IDEMPOTENCY_KEY)) {
        return true;
    }
    tell_error(STATUS_USAGE, "--idempotency-key goes with one ID");
    return false;
}

bool cli_confirm(const struct cli *cli, const char *format, ...)
{
    if (arguments_has(&cli->arguments, OPTION_YES)) return true;
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) return true;
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, " [y/N] ");
    char line[16] = "";
    if (fgets(line, sizeof line, stdin) == NULL) return false;
    line[strcspn(line, "\r\n")] = '\0';
    return strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0;
}

void cli_print_body(struct bytes body)
{
    (void)fwrite(body.data, 1, body.size, stdout);
    if (body.size == 0 || body.data[body.size - 1] != '\n') (void)putchar('\n');
}

void cli_print_line(struct cli *cli, const struct json_view *view)
{
    struct buffer line = buffer_in(&cli->arena);
    json_write_compact(&line, view);
    buffer_add_char(&line, '\n');
    (void)fwrite(line.data, 1, line.size, stdout);
}

/* What names a thing: its id, else its name. */
static void print_id(const struct json_view *view)
{
    struct bytes id = json_text(view, "id");
    if (id.data == NULL) id = json_text(view, "name");
    (void)printf("%.*s\n", (int)id.size, id.data != NULL ? id.data : "");
}

bool cli_print_raw(struct cli *cli, const struct answer *answer)
{
    switch (cli->format) {
    case FORMAT_JSON: cli_print_body(answer->body); return true;
    case FORMAT_JSONL: cli_print_line(cli, answer->json); return true;
    case FORMAT_ID: print_id(answer->json); return true;
    case FORMAT_TABLE:
    case FORMAT_WIDE: return false;
    }
    return false;
}
