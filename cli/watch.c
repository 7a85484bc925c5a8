/*
 * cli/watch.c
 *   A saga until its end: a table redrawn in place on a terminal, lines on a pipe.
 *
 * The lines come from history, so that no change is missed however fast it went by; the
 * table shows where things stand.
 */
#include "cli/command.h"
#include "cli/history.h"
#include "cli/json.h"
#include "cli/sagas.h"
#include "cli/show.h"
#include "cli/states.h"
#include "cli/times.h"

#include <inttypes.h>
#include <stdio.h>

static enum status ending_status(const struct json_view *saga)
{
    const enum ending ending = saga_ending(json_text(saga, "state"));
    return ending == ENDING_GOOD ? STATUS_OK : STATUS_ENDED;
}

/* ---- lines ---- */

struct reader {
    struct cli *cli;
    const char *id;
    struct history_lines lines;
    struct arena arena; /* of one page */
    char cursor[512];   /* of the page read last; "": the first */
    int64_t seq;        /* of the row printed last */
};

static void print_item(struct reader *reader, const struct json_view *item)
{
    struct buffer line = buffer_in(&reader->arena);
    if (cli_is_table(reader->cli)) {
        history_line(&reader->lines, item, &line);
    } else {
        json_write_compact(&line, item);
        buffer_add_char(&line, '\n');
    }
    terminal_put(buffer_bytes(&line));
}

/* One page of history; the last page is read again the next time, its new rows are news. */
static enum status read_page(struct reader *reader, bool *ret_more)
{
    arena_reset(&reader->arena);
    struct buffer path = buffer_in(&reader->arena);
    buffer_add_text(&path, sagas_path(&reader->arena, reader->id, "/history"));
    path_add_query(&path, "limit", "200");
    if (reader->cursor[0] != '\0') path_add_query(&path, "cursor", reader->cursor);
    const struct request request = {.path = path.data};
    struct answer answer;
    const enum status status = client_call(reader->cli->client, &request, &reader->arena, &answer);
    if (status != STATUS_OK) return status;
    for (const struct json_view *each = json_items(answer.json, "items"); each != NULL;
         each = each->next) {
        const int64_t seq = json_int(each, "seq", 0);
        if (seq <= reader->seq) continue;
        reader->seq = seq;
        print_item(reader, each);
    }
    const struct bytes cursor = json_text(answer.json, "next_cursor");
    const bool any = json_items(answer.json, "items") != NULL;
    *ret_more = any && cursor.size > 0 && cursor.size < sizeof reader->cursor;
    if (*ret_more) {
        (void)snprintf(reader->cursor, sizeof reader->cursor, "%.*s", (int)cursor.size,
                       cursor.data);
    }
    return STATUS_OK;
}

static enum status print_news(struct reader *reader)
{
    bool more = true;
    enum status status = STATUS_OK;
    while (more && status == STATUS_OK) {
        status = read_page(reader, &more);
    }
    return status;
}

static enum status watch_lines(struct cli *cli, const char *id)
{
    struct follow follow = {.cli = cli, .id = id};
    struct reader reader = {.cli = cli, .id = id};
    reader.lines = (struct history_lines){
        .terminal = &cli->terminal, .arena = &reader.arena, .wide = cli->format == FORMAT_WIDE};
    struct arena arena = {0};
    enum status status = STATUS_OK;
    for (bool ended = false; !ended && status == STATUS_OK;) {
        arena_reset(&arena);
        struct answer saga;
        status = follow_next(&follow, &arena, &saga);
        if (status != STATUS_OK) break;
        status = print_news(&reader);
        if (status != STATUS_OK) break;
        ended = saga_ending(json_text(saga.json, "state")) != ENDING_NONE;
        if (ended) status = ending_status(saga.json);
    }
    arena_done(&arena);
    arena_done(&reader.arena);
    return status;
}

/* ---- table ---- */

struct screen {
    struct cli *cli;
    struct arena drawing; /* of one drawing */
    const struct json_view *saga, *steps;
    struct bytes sentence; /* why it stands; absent: it ended */
    int lines;             /* drawn last time, to be drawn over */
};

static int count_lines(struct bytes text)
{
    int lines = 0;
    for (size_t i = 0; i < text.size; i++) {
        lines += text.data[i] == '\n' ? 1 : 0;
    }
    return lines;
}

static void draw(void *context)
{
    enum { FRAME_LINES = 5, ROWS_LEAST = 4 };
    struct screen *screen = context;
    if (screen->saga == NULL) return;
    struct terminal *terminal = &screen->cli->terminal;
    terminal_measure(terminal);
    arena_reset(&screen->drawing);
    const struct show show = {.terminal = terminal,
                              .arena = &screen->drawing,
                              .wide = screen->cli->format == FORMAT_WIDE,
                              .now_ms = times_now_ms()};
    const int room = terminal->rows - FRAME_LINES;
    struct buffer out = buffer_in(&screen->drawing);
    if (screen->lines > 0) buffer_add_format(&out, "\033[%dA\r\033[J", screen->lines);
    /* A line that wrapped would count twice: the terminal cuts it instead. */
    buffer_add_text(&out, "\033[?7l");
    const size_t start = out.size;
    show_saga_line(&show, screen->saga, &out);
    show_steps(&show, screen->steps, (size_t)(room > ROWS_LEAST ? room : ROWS_LEAST), &out);
    if (screen->sentence.size > 0) {
        buffer_add_text(&out, "  ");
        terminal_add_text(&out, terminal, STYLE_DIM, screen->sentence,
                          terminal->columns > 4 ? (size_t)terminal->columns - 3 : 0);
        buffer_add_char(&out, '\n');
    }
    buffer_add_text(&out, "\033[?7h");
    screen->lines = count_lines((struct bytes){out.data + start, out.size - start});
    terminal_put(buffer_bytes(&out));
}

/* Steps, and the sentence of an open saga. */
static enum status read_details(struct screen *screen, const char *id, struct arena *arena)
{
    struct answer answer;
    const struct request steps = {.path = sagas_path(arena, id, "/steps")};
    const enum status status = client_call(screen->cli->client, &steps, arena, &answer);
    if (status != STATUS_OK) return status;
    screen->steps = json_items(answer.json, "items");
    screen->sentence = (struct bytes){NULL, 0};
    if (saga_ending(json_text(screen->saga, "state")) == ENDING_GOOD) return STATUS_OK;
    const struct request why = {.path = sagas_path(arena, id, "/why")};
    if (client_try(screen->cli->client, &why, arena, &answer) == STATUS_OK) {
        screen->sentence = json_text(answer.json, "sentence");
    }
    return STATUS_OK;
}

static enum status watch_table(struct cli *cli, const char *id)
{
    struct screen screen = {.cli = cli};
    struct follow follow = {.cli = cli, .id = id, .tick = draw, .tick_context = &screen};
    /* While the next answer is awaited, the one shown must stay: two arenas take turns. */
    struct arena arenas[2] = {{0}, {0}};
    enum status status = STATUS_OK;
    for (int turn = 0;; turn = 1 - turn) {
        arena_reset(&arenas[turn]);
        struct answer answer;
        status = follow_next(&follow, &arenas[turn], &answer);
        if (status != STATUS_OK) break;
        screen.saga = answer.json;
        status = read_details(&screen, id, &arenas[turn]);
        if (status != STATUS_OK) break;
        draw(&screen);
        if (saga_ending(json_text(screen.saga, "state")) == ENDING_NONE) continue;
        status = ending_status(screen.saga);
        break;
    }
    arena_done(&screen.drawing);
    arena_done(&arenas[0]);
    arena_done(&arenas[1]);
    return status;
}

enum status sagas_watch(struct cli *cli, const char *id)
{
    return cli->terminal.tty && cli_is_table(cli) ? watch_table(cli, id) : watch_lines(cli, id);
}

enum status run_watch(struct cli *cli)
{
    return sagas_watch(cli, cli_word(cli, 0));
}
