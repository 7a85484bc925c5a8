/* How the sagas of one label are doing. */
#include "cli/json.h"
#include "cli/start.h"
#include "cli/states.h"
#include "cli/times.h"

#include <stdlib.h>
#include <string.h>

/* Looking must not take the server's time from the work that is looked at. */
enum { LOOK_EVERY_MS = 400, LOOK_SHARE = 6 };

/* Each item of a list of sagas, page after page; memory of one page at a time. */
static enum status each_saga(struct cli *cli, const char *path,
                             void (*take)(void *, const struct json_view *), void *context)
{
    struct arena arena = {0};
    char cursor[512] = "";
    enum status status = STATUS_OK;
    for (bool more = true; more && status == STATUS_OK;) {
        arena_reset(&arena);
        struct buffer page = buffer_in(&arena);
        buffer_add_text(&page, path);
        if (cursor[0] != '\0') path_add_query(&page, "cursor", cursor);
        const struct request request = {.path = page.data};
        struct answer answer;
        status = client_call(cli->client, &request, &arena, &answer);
        if (status != STATUS_OK) break;
        const struct json_view *items = json_items(answer.json, "items");
        for (const struct json_view *each = items; each != NULL; each = each->next) {
            take(context, each);
        }
        const struct bytes next = json_text(answer.json, "next_cursor");
        more = items != NULL && next.size > 0 && next.size < sizeof cursor;
        if (more) memcpy(cursor, next.data, next.size);
        if (more) cursor[next.size] = '\0';
    }
    arena_done(&arena);
    return status;
}

static char *label_path(struct cli *cli, const char *label)
{
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/sagas?limit=500");
    path_add_query(&path, "label", label);
    return path.data;
}

static void count_one(void *context, const struct json_view *saga)
{
    (void)saga;
    (*(size_t *)context)++;
}

enum status tally_open(struct cli *cli, const char *label, size_t *ret_open)
{
    static const char *const OPEN[] = {"pending", "running", "compensating"};
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, label_path(cli, label));
    for (size_t i = 0; i < sizeof OPEN / sizeof OPEN[0]; i++) {
        path_add_query(&path, "state", OPEN[i]);
    }
    *ret_open = 0;
    return each_saga(cli, path.data, count_one, ret_open);
}

struct sums {
    struct tally *tally;
    int64_t *took_ms;
    size_t count, capacity;
};

static void add_took(struct sums *sums, int64_t took_ms)
{
    if (sums->count == sums->capacity) {
        sums->capacity = sums->capacity == 0 ? 1024 : sums->capacity * 2;
        int64_t *grown = realloc(sums->took_ms, sums->capacity * sizeof *grown);
        if (grown == NULL) abort();
        sums->took_ms = grown;
    }
    sums->took_ms[sums->count++] = took_ms;
}

static void add_saga(void *context, const struct json_view *saga)
{
    struct sums *sums = context;
    struct tally *tally = sums->tally;
    const int64_t created_ms = json_time(saga, "created_at");
    const int64_t finished_ms = json_time(saga, "finished_at");
    tally->total++;
    if (saga_ending(json_text(saga, "state")) == ENDING_NONE) {
        tally->open++;
    } else if (json_is(saga, "state", "succeeded")) {
        tally->succeeded++;
    } else if (json_is(saga, "state", "compensated")) {
        tally->compensated++;
    } else {
        tally->other++;
    }
    if (tally->first_created_ms == 0 || created_ms < tally->first_created_ms) {
        tally->first_created_ms = created_ms;
    }
    if (finished_ms > tally->last_finished_ms) tally->last_finished_ms = finished_ms;
    if (finished_ms != 0) add_took(sums, finished_ms - created_ms);
}

static int compare_ms(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return left < right ? -1 : left > right ? 1 : 0;
}

enum status tally_all(struct cli *cli, const char *label, struct tally *ret_tally)
{
    *ret_tally = (struct tally){.total = 0};
    struct sums sums = {.tally = ret_tally};
    const enum status status = each_saga(cli, label_path(cli, label), add_saga, &sums);
    if (sums.count > 0) {
        qsort(sums.took_ms, sums.count, sizeof *sums.took_ms, compare_ms);
        ret_tally->p50_ms = sums.took_ms[(sums.count - 1) / 2];
        ret_tally->p99_ms = sums.took_ms[(sums.count - 1) * 99 / 100];
    }
    free(sums.took_ms);
    return status;
}

static int64_t left_ms_of(const struct push *push)
{
    const int64_t left_ms = client_left_ms(push->cli->client);
    if (push->give_up_at_ms == 0) return left_ms;
    const int64_t own_ms = push->give_up_at_ms - times_monotonic_ms();
    return own_ms < 0 ? 0 : own_ms < left_ms ? own_ms : left_ms;
}

enum status tally_wait(struct push *push, const char *label)
{
    for (;;) {
        size_t open = 0;
        const int64_t asked_ms = times_monotonic_ms();
        const enum status status = tally_open(push->cli, label, &open);
        if (status != STATUS_OK) return status;
        const size_t ended = push->accepted > open ? push->accepted - open : 0;
        if (push->progress != NULL) push->progress(push->context, ended, push->accepted);
        if (open == 0) return STATUS_OK;
        const int64_t left_ms = left_ms_of(push);
        if (left_ms == 0) return tell_error(STATUS_TIMEOUT, "the time is over; %zu are open", open);
        int64_t pause_ms = (times_monotonic_ms() - asked_ms) * LOOK_SHARE;
        if (pause_ms < LOOK_EVERY_MS) pause_ms = LOOK_EVERY_MS;
        times_sleep_ms(left_ms < pause_ms ? left_ms : pause_ms);
    }
}
