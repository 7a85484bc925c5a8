/*
 * cli/demo/demo.c
 *   The show: six sagas told one by one, then a file of updates at once.
 *
 * Everything is done and checked over the REST API, as any caller could. The exit
 * code is 1 when one saga ended otherwise than it must.
 */
#include "cli/command.h"
#include "cli/demo/files.h"
#include "cli/demo/scenes.h"
#include "cli/demo/updates.h"
#include "cli/json.h"
#include "cli/sagas.h"
#include "cli/start.h"
#include "cli/states.h"
#include "cli/times.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCENE_LIMIT_MS = 60000, QUIET_MS = 400, SCENE_TO_LOOK_AT = 3 };

static void print_styled(struct cli *cli, enum style style, const char *text)
{
    struct buffer out = buffer_in(&cli->arena);
    terminal_add_text(&out, &cli->terminal, style, bytes_of(text), 0);
    buffer_add_char(&out, '\n');
    terminal_put(buffer_bytes(&out));
}

/* ---- definitions ---- */

static enum status register_definition(struct cli *cli, const struct embedded_file *file)
{
    const struct request request = {
        .method = "POST", .path = "/v1/definitions", .body = {file->text, file->size}
    };
    struct answer answer;
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK) return status;
    const struct bytes name = json_text(answer.json, "name");
    (void)printf("  %.*s v%" PRId64 "%s\n", (int)name.size, name.data,
                 json_int(answer.json, "version", 0),
                 answer.http_status == 201 ? "" : " (was there)");
    return STATUS_OK;
}

/* ---- one scene ---- */

/* The input with something new in each run in place of `@`. */
static struct bytes scene_input(struct cli *cli, const struct scene *scene, const char *run)
{
    struct buffer input = buffer_in(&cli->arena);
    for (const char *c = scene->input; *c != '\0'; c++) {
        if (*c == '@') {
            buffer_add_text(&input, run);
        } else {
            buffer_add_char(&input, *c);
        }
    }
    return buffer_bytes(&input);
}

/* While a scene takes its time, a terminal shows what it waits for. */
static void show_why_now(struct cli *cli, const char *id)
{
    if (!cli->terminal.tty) return;
    const struct request request = {.path = sagas_path(&cli->arena, id, "/why")};
    struct answer answer;
    if (client_try(cli->client, &request, &cli->arena, &answer) != STATUS_OK) return;
    struct buffer out = buffer_in(&cli->arena);
    const size_t room = cli->terminal.columns > 20 ? (size_t)cli->terminal.columns - 8 : 0;
    buffer_add_text(&out, "\r     ");
    terminal_add_text(&out, &cli->terminal, STYLE_DIM, json_text(answer.json, "sentence"), room);
    buffer_add_text(&out, "\033[K");
    terminal_put(buffer_bytes(&out));
}

static enum status play_until_end(struct cli *cli, const char *id, struct answer *ret_saga)
{
    const int64_t started_ms = times_monotonic_ms();
    /* Of a shorter time that the command has, some is left to ask why. */
    const int64_t left_ms = client_left_ms(cli->client) / 4 * 3;
    const int64_t limit_ms = left_ms < SCENE_LIMIT_MS ? left_ms : SCENE_LIMIT_MS;
    struct follow follow = {.cli = cli, .id = id, .give_up_at_ms = started_ms + limit_ms};
    bool shown = false;
    enum status status = STATUS_OK;
    for (;;) {
        status = follow_next(&follow, &cli->arena, ret_saga);
        if (status != STATUS_OK) break;
        if (saga_ending(json_text(ret_saga->json, "state")) != ENDING_NONE) break;
        if (times_monotonic_ms() - started_ms < QUIET_MS) continue;
        show_why_now(cli, id);
        shown = true;
    }
    if (shown && cli->terminal.tty) terminal_put(BYTES("\r\033[K"));
    if (status != STATUS_TIMEOUT) return status;
    const struct request why = {.path = sagas_path(&cli->arena, id, "/why")};
    struct answer answer;
    if (client_try(cli->client, &why, &cli->arena, &answer) == STATUS_OK) {
        const struct bytes sentence = json_text(answer.json, "sentence");
        tell("  it says: %.*s", (int)sentence.size, sentence.data != NULL ? sentence.data : "");
    }
    tell("  are the demo participants running? `make demo` starts them");
    return status;
}

static void print_head(struct cli *cli, const struct scene *scene, size_t number)
{
    struct buffer out = buffer_in(&cli->arena);
    struct buffer title = buffer_in(&cli->arena);
    buffer_add_format(&title, "%2zu. %s", number, scene->title);
    buffer_add_char(&out, '\n');
    terminal_add_text(&out, &cli->terminal, STYLE_BOLD, buffer_bytes(&title), 0);
    buffer_add_text(&out, "\n     ");
    terminal_add_text(&out, &cli->terminal, STYLE_DIM, bytes_of(scene->moral), 0);
    buffer_add_char(&out, '\n');
    terminal_put(buffer_bytes(&out));
}

static void print_result(struct cli *cli, const struct story *story, const char *id,
                         struct buffer *out)
{
    char took[TIMES_TEXT_SIZE];
    times_span(story->ended_ms - story->started_ms, took);
    buffer_add_text(out, "     ");
    terminal_add_text(out, &cli->terminal, saga_state_style(story->state), story->state, 0);
    buffer_add_format(out, " in %s  ", took);
    terminal_add_text(out, &cli->terminal, STYLE_DIM, bytes_of(id), 0);
    buffer_add_char(out, '\n');
}

/* *ret_id is the saga's id. */
static enum status start_scene(struct cli *cli, const struct scene *scene, const char *run,
                               const char **ret_id)
{
    const char *const labels[] = {"demo=scene"};
    const struct start start = {.definition = scene->definition, .label = labels, .label_count = 1};
    struct buffer body = buffer_in(&cli->arena);
    start_write(&start, scene_input(cli, scene, run), &body);
    const struct request request = {
        .method = "POST", .path = "/v1/sagas", .body = buffer_bytes(&body)};
    struct answer answer;
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK) return status;
    const struct bytes id = json_text(answer.json, "id");
    *ret_id = bytes_copy(&cli->arena, id.data != NULL ? id : BYTES("")).data;
    return STATUS_OK;
}

/* ENDED when the saga ended otherwise than it must. */
static enum status play(struct cli *cli, size_t number, const char *run, const char **ret_id)
{
    const struct scene *scene = &SCENES[number];
    print_head(cli, scene, number + 1);
    enum status status = start_scene(cli, scene, run, ret_id);
    if (status != STATUS_OK) return status;
    struct answer saga;
    status = play_until_end(cli, *ret_id, &saga);
    if (status != STATUS_OK) return status;
    struct story story;
    status = story_read(cli, *ret_id, saga.json, &story);
    if (status != STATUS_OK) return status;
    struct buffer out = buffer_in(&cli->arena);
    print_result(cli, &story, *ret_id, &out);
    story_print(&story, &cli->terminal, &out);
    const bool holds = scene_holds(scene, &story, &cli->terminal, &out);
    terminal_put(buffer_bytes(&out));
    return holds ? STATUS_OK : STATUS_ENDED;
}

/* ---- the updates ---- */

struct wave {
    size_t count, refused; /* as generated */
    uint64_t seed;
    const char *label;
};

static bool read_wave(struct cli *cli, struct wave *ret_wave)
{
    int64_t count = 0;
    int64_t seed = 0;
    if (!arguments_number(&cli->arguments, OPTION_COUNT_OF, 1, UPDATES_COUNT_MAX, UPDATES_COUNT,
                          &count) ||
        !arguments_number(&cli->arguments, OPTION_SEED, 0, INT64_MAX, UPDATES_SEED, &seed)) {
        return false;
    }
    *ret_wave = (struct wave){.count = (size_t)count, .seed = (uint64_t)seed};
    return true;
}

enum status run_demo_updates(struct cli *cli)
{
    struct wave wave;
    if (!read_wave(cli, &wave)) return STATUS_USAGE;
    struct buffer lines = buffer_in(&cli->arena);
    updates_write(wave.count, wave.seed, &lines);
    terminal_put(buffer_bytes(&lines));
    return STATUS_OK;
}

static void print_tally(const struct wave *wave, const struct tally *tally)
{
    char took[TIMES_TEXT_SIZE];
    char p50[TIMES_TEXT_SIZE];
    char p99[TIMES_TEXT_SIZE];
    const int64_t took_ms = tally->last_finished_ms - tally->first_created_ms;
    times_span(took_ms, took);
    times_span(tally->p50_ms, p50);
    times_span(tally->p99_ms, p99);
    (void)printf("     %zu sagas in %s: %.0f a second\n", tally->total, took,
                 took_ms > 0 ? (double)tally->total * 1000.0 / (double)took_ms : 0.0);
    (void)printf("     from accepted to ended: p50 %s, p99 %s\n", p50, p99);
    (void)printf("     succeeded %zu, compensated %zu (%zu name a region that refuses)",
                 tally->succeeded, tally->compensated, wave->refused);
    if (tally->other > 0) (void)printf(", otherwise %zu", tally->other);
    (void)printf("\n");
}

static enum status check_tally(struct cli *cli, const struct wave *wave, const struct tally *tally)
{
    const bool holds = tally->total == wave->count && tally->compensated == wave->refused &&
                       tally->succeeded == wave->count - wave->refused;
    struct buffer out = buffer_in(&cli->arena);
    const char *mark =
        holds ? (cli->terminal.utf8 ? "\u2713" : "ok:") : (cli->terminal.utf8 ? "\u2717" : "NOT:");
    buffer_add_format(&out, "     %s %s", mark,
                      holds ? "each update is live in all of its regions, or in none"
                            : "not every update ended as it must");
    print_styled(cli, holds ? STYLE_GOOD : STYLE_BAD, out.data);
    return holds ? STATUS_OK : STATUS_ENDED;
}

static enum status play_updates(struct cli *cli, struct wave *wave)
{
    struct buffer lines = buffer_in(&cli->arena);
    wave->refused = updates_write(wave->count, wave->seed, &lines);
    struct buffer title = buffer_in(&cli->arena);
    buffer_add_format(&title, "\n%2zu. %zu content updates at once", SCENE_COUNT + 1, wave->count);
    struct buffer moral = buffer_in(&cli->arena);
    buffer_add_format(&moral,
                      "     The file is made by: sagactl demo updates --count %zu --seed %" PRIu64,
                      wave->count, wave->seed);
    (void)fputc('\n', stdout);
    print_styled(cli, STYLE_BOLD, title.data + 1);
    print_styled(cli, STYLE_DIM, moral.data);

    const struct start start = {
        .definition = "content-publish", .label = &wave->label, .label_count = 1};
    struct progress progress = progress_begin("started", cli->terminal.utf8);
    struct push push = {.cli = cli,
                        .start = &start,
                        .lines = buffer_bytes(&lines),
                        .progress = progress_show,
                        .context = &progress,
                        .total = wave->count};
    enum status status = push_all(&push);
    progress_end(&progress);
    if (status != STATUS_OK || push.refused > 0) return status_first(status, STATUS_ERROR);
    progress = progress_begin("ended", cli->terminal.utf8);
    status = tally_wait(&push, wave->label);
    progress_end(&progress);
    if (status != STATUS_OK) return status;
    struct tally tally;
    status = tally_all(cli, wave->label, &tally);
    if (status != STATUS_OK) return status;
    print_tally(wave, &tally);
    return check_tally(cli, wave, &tally);
}

/* ---- the rehearsal ---- */

static enum status push_lines(struct push *push, const char *definition, struct buffer lines)
{
    const struct start start = {
        .definition = definition, .label = push->start->label, .label_count = 1};
    struct push part = *push;
    part.start = &start;
    part.lines = buffer_bytes(&lines);
    const enum status status = push_all(&part);
    push->accepted += part.accepted;
    return status == STATUS_OK && part.refused > 0 ? STATUS_ERROR : status;
}

/* A few sagas before the first scene: consumers that just started take seconds to join. */
static enum status play_rehearsal(struct cli *cli, const char *run)
{
    enum { ORDERS = 24, TITLES = 8 };
    const int64_t started_ms = times_monotonic_ms();
    struct buffer label = buffer_in(&cli->arena);
    buffer_add_format(&label, "rehearsal=%s", run);
    struct buffer orders = buffer_in(&cli->arena);
    for (int i = 1; i <= ORDERS; i++) {
        buffer_add_format(&orders,
                          "{\"order_id\":\"r-%s-%d\",\"customer_id\":\"eve\",\"total\":501,"
                          "\"items\":[{\"sku\":\"pen\",\"qty\":1}],\"card\":\"valid\"}\n",
                          run, i);
    }
    struct buffer titles = buffer_in(&cli->arena);
    for (int i = 1; i <= TITLES; i++) {
        buffer_add_format(
            &titles, "{\"title_id\":\"trailer-%s-%d\",\"state\":\"live\",\"regions\":[\"DE\"]}\n",
            run, i);
    }
    const char *const labels[] = {label.data};
    const struct start start = {.label = labels, .label_count = 1};
    struct push push = {.cli = cli, .start = &start, .give_up_at_ms = started_ms + SCENE_LIMIT_MS};
    enum status status = push_lines(&push, "order-checkout", orders);
    if (status == STATUS_OK) status = push_lines(&push, "content-publish", titles);
    if (status == STATUS_OK) status = tally_wait(&push, label.data);
    if (status == STATUS_TIMEOUT) {
        return tell_error(STATUS_ERROR, "do the demo participants run? `make demo` starts them");
    }
    if (status != STATUS_OK) return status;
    char took[TIMES_TEXT_SIZE];
    times_span(times_monotonic_ms() - started_ms, took);
    (void)printf("  the participants answer (rehearsed for %s)\n", took);
    return STATUS_OK;
}

/* ---- the whole show ---- */

static void print_where_next(struct cli *cli, const char *id)
{
    (void)fputc('\n', stdout);
    print_styled(cli, STYLE_BOLD, "Where to look next (`make dev` leaves it running)");
    (void)printf(
        "     sagactl get %s         its steps\n"
        "     sagactl history %s     all that happened, in order\n"
        "     sagactl list --state compensated\n"
        "     sagactl start order-checkout --watch --input \\\n"
        "       '{\"order_id\":\"o-1\",\"customer_id\":\"me\",\"total\":9.90,"
        "\"items\":[{\"sku\":\"book\",\"qty\":1}],\"card\":\"down\"}'\n"
        "     %s/openapi.json     the API\n",
        id, id, client_url(cli->client));
}

enum status run_demo(struct cli *cli)
{
    static const struct embedded_file *const FILES[] = {&FILE_ORDER_CHECKOUT_SAGA_JSON,
                                                        &FILE_CONTENT_PUBLISH_SAGA_JSON};
    struct wave wave;
    if (!read_wave(cli, &wave)) return STATUS_USAGE;
    char run[24];
    (void)snprintf(run, sizeof run, "%06" PRIx64, (uint64_t)times_now_ms() / 100 % 0x1000000);
    struct buffer label = buffer_in(&cli->arena);
    buffer_add_format(&label, "demo=%s", run);
    wave.label = label.data;

    print_styled(cli, STYLE_BOLD, "Two business flows");
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        const enum status status = register_definition(cli, FILES[i]);
        if (status != STATUS_OK) return status;
    }
    enum status status = play_rehearsal(cli, run);
    if (status != STATUS_OK) return status;
    const char *id = "";
    for (size_t i = 0; i < SCENE_COUNT; i++) {
        const char *played = NULL;
        const enum status one = play(cli, i, run, &played);
        if (one != STATUS_OK && one != STATUS_ENDED) return STATUS_ERROR;
        status = status_first(status, one);
        if (i == SCENE_TO_LOOK_AT) id = played;
    }
    status = status_first(status, play_updates(cli, &wave));
    print_where_next(cli, id);
    return status == STATUS_OK ? STATUS_OK : STATUS_ERROR;
}
