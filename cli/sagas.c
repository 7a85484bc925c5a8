#include "cli/sagas.h"

#include "cli/json.h"
#include "cli/show.h"
#include "cli/states.h"
#include "cli/times.h"

#include <stdio.h>
#include <string.h>

enum { POLL_S = 20, PATIENCE_MS = 60000, POLL_SHORTEST_MS = 500, POLL_LEAST_LEFT_MS = 20 };

char *sagas_path(struct arena *arena, const char *id, const char *below)
{
    struct buffer path = buffer_in(arena);
    buffer_add_text(&path, "/v1/sagas/");
    path_add(&path, id);
    buffer_add_text(&path, below);
    return path.data;
}

static int64_t left_ms_of(const struct follow *follow)
{
    const int64_t left_ms = client_left_ms(follow->cli->client);
    if (follow->give_up_at_ms == 0) return left_ms;
    const int64_t own_ms = follow->give_up_at_ms - times_monotonic_ms();
    return own_ms < 0 ? 0 : own_ms < left_ms ? own_ms : left_ms;
}

/* How long the server may hold the answer: not beyond the time that is left. */
static uint32_t hold_s(const struct follow *follow)
{
    const int64_t left_s = left_ms_of(follow) / 1000;
    return left_s < POLL_S ? (uint32_t)left_s : POLL_S;
}

/* One read, held by the server until the saga is another than the one known. */
static enum status ask(struct follow *follow, struct arena *arena, struct answer *ret_answer)
{
    const bool first = follow->etag[0] == '\0';
    const uint32_t wait_s = first ? 0 : hold_s(follow);
    char wait[16];
    (void)snprintf(wait, sizeof wait, "%u", wait_s);
    struct buffer path = buffer_in(arena);
    buffer_add_text(&path, sagas_path(arena, follow->id, ""));
    if (wait_s > 0) path_add_query(&path, "wait", wait);
    const struct request request = {.path = path.data,
                                    .if_none_match = follow->etag,
                                    .wait_s = wait_s,
                                    .patience_ms = first ? 0 : PATIENCE_MS,
                                    .tick = follow->tick,
                                    .tick_context = follow->tick_context};
    return client_call(follow->cli->client, &request, arena, ret_answer);
}

/* An answer that is news: remember which. Without an ETag each answer is. */
static void take_news(struct follow *follow, const struct answer *answer)
{
    const bool named = answer->etag[0] != '\0';
    if (!named && follow->etag[0] != '\0') times_sleep_ms(POLL_SHORTEST_MS);
    (void)snprintf(follow->etag, sizeof follow->etag, "%s", named ? answer->etag : "\"none\"");
}

enum status follow_next(struct follow *follow, struct arena *arena, struct answer *ret_answer)
{
    for (;;) {
        const int64_t asked_ms = times_monotonic_ms();
        const enum status status = ask(follow, arena, ret_answer);
        if (status != STATUS_OK) return status;
        if (ret_answer->http_status != 304) {
            take_news(follow, ret_answer);
            return STATUS_OK;
        }
        /* A server that does not hold the answer must not be asked in a busy loop. */
        const int64_t left_ms = left_ms_of(follow);
        const int64_t rest_ms = POLL_SHORTEST_MS - (times_monotonic_ms() - asked_ms);
        times_sleep_ms(rest_ms < left_ms ? rest_ms : left_ms);
        if (left_ms_of(follow) < POLL_LEAST_LEFT_MS) {
            return tell_error(STATUS_TIMEOUT, "%s: the time is over", follow->id);
        }
    }
}

/* The saga is in one of the states of --for. */
static bool is_wanted(const struct cli *cli, const struct json_view *saga)
{
    const char *state = NULL;
    for (size_t i = 0; (state = arguments_nth(&cli->arguments, OPTION_FOR, i)) != NULL; i++) {
        if (json_is(saga, "state", state)) return true;
        if (strcmp(state, "paused") == 0 && json_true(saga, "paused")) return true;
    }
    return false;
}

enum status sagas_wait(struct cli *cli, const char *id, struct answer *ret_answer)
{
    const bool by_state = arguments_has(&cli->arguments, OPTION_FOR);
    struct follow follow = {.cli = cli, .id = id};
    for (;;) {
        const enum status status = follow_next(&follow, &cli->arena, ret_answer);
        if (status != STATUS_OK) return status;
        if (by_state && is_wanted(cli, ret_answer->json)) return STATUS_OK;
        const enum ending ending = saga_ending(json_text(ret_answer->json, "state"));
        if (ending == ENDING_NONE) continue;
        return ending == ENDING_GOOD && !by_state ? STATUS_OK : STATUS_ENDED;
    }
}

void sagas_print(struct cli *cli, const struct answer *answer)
{
    if (cli_print_raw(cli, answer)) return;
    const struct show show = {.terminal = &cli->terminal,
                              .arena = &cli->arena,
                              .wide = cli->format == FORMAT_WIDE,
                              .now_ms = times_now_ms()};
    struct table table = show_saga_table(&show);
    show_saga_row(&show, &table, answer->json);
    struct buffer out = buffer_in(&cli->arena);
    table_print(&table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
}
