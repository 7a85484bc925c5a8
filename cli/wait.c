/* wait: until every saga named has ended, or is in a state of --for. */
#include "cli/command.h"
#include "cli/sagas.h"
#include "cli/show.h"
#include "cli/times.h"

#include <stdio.h>

enum status run_wait(struct cli *cli)
{
    struct show show = {
        .terminal = &cli->terminal, .arena = &cli->arena, .wide = cli->format == FORMAT_WIDE};
    struct table table = show_saga_table(&show);
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        struct answer answer;
        const enum status one = sagas_wait(cli, cli_word(cli, i), &answer);
        status = status_first(status, one);
        if (one != STATUS_OK && one != STATUS_ENDED) continue;
        show.now_ms = times_now_ms();
        if (!cli_print_raw(cli, &answer)) show_saga_row(&show, &table, answer.json);
    }
    if (table_rows(&table) == 0) return status;
    struct buffer out = buffer_in(&cli->arena);
    table_print(&table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
    return status;
}
