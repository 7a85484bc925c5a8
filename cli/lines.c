/* Many starts: JSON lines in, bulk requests out. */
#include "cli/json.h"
#include "cli/problem.h"
#include "cli/start.h"

#include <string.h>

enum { ITEMS_MAX = 250, BODY_SIZE_MAX = 4 * 1024 * 1024, REFUSALS_TOLD_MAX = 20 };

/* The next line that is not blank; false at the end. */
static bool next_line(struct bytes lines, size_t *at, size_t *number, struct bytes *ret_line)
{
    while (*at < lines.size) {
        const char *start = lines.data + *at;
        const char *end = memchr(start, '\n', lines.size - *at);
        size_t size = end != NULL ? (size_t)(end - start) : lines.size - *at;
        *at += size + 1;
        (*number)++;
        while (size > 0 && (start[size - 1] == '\r' || start[size - 1] == ' ')) {
            size--;
        }
        *ret_line = (struct bytes){start, size};
        if (size > 0) return true;
    }
    return false;
}

bool push_check(struct push *push)
{
    struct arena arena = {0};
    size_t at = 0;
    size_t number = 0;
    struct bytes line;
    bool sound = true;
    while (sound && next_line(push->lines, &at, &number, &line)) {
        const struct json_view *view = NULL;
        struct json_error error;
        arena_reset(&arena);
        sound = json_view_parse(line, &arena, &view, &error);
        if (!sound) {
            tell_error(STATUS_USAGE, "line %zu is no JSON: byte %zu: %s; nothing was started",
                       number, error.offset, error.what);
        }
        push->total++;
    }
    arena_done(&arena);
    return sound;
}

/* Where the reading of the file stands, and the numbers of the lines in the request. */
struct batch {
    size_t at, number, index;
    size_t line[ITEMS_MAX];
    size_t count;
};

static struct bytes fill(const struct push *push, struct batch *batch, struct arena *arena)
{
    struct buffer body = buffer_in(arena);
    buffer_add_text(&body, "{\"items\":[");
    batch->count = 0;
    struct bytes line;
    while (batch->count < ITEMS_MAX && body.size < BODY_SIZE_MAX &&
           next_line(push->lines, &batch->at, &batch->number, &line)) {
        if (batch->count > 0) buffer_add_char(&body, ',');
        start_write(push->start, line, &body);
        batch->line[batch->count++] = batch->number;
    }
    buffer_add_text(&body, "]}");
    return buffer_bytes(&body);
}

static void take_results(struct push *push, const struct batch *batch,
                         const struct json_view *items, struct arena *arena)
{
    size_t i = 0;
    for (const struct json_view *each = items; each != NULL && i < batch->count;
         each = each->next, i++) {
        const int64_t status = json_int(each, "status", 0);
        if (status >= 200 && status < 300) {
            push->accepted++;
            continue;
        }
        if (push->refused++ >= REFUSALS_TOLD_MAX) continue;
        const struct json_view *problem = json_value(each, "problem");
        const struct bytes line = problem_line(problem, arena);
        tell("line %zu: %.*s", batch->line[i], (int)line.size, line.data);
        problem_tell_places("  ", json_value(problem, "errors"));
    }
}

static enum status push_batch(struct push *push, struct batch *batch, struct bytes body,
                              struct arena *arena)
{
    struct buffer key = buffer_in(arena);
    if (push->idempotency_key != NULL) {
        buffer_add_format(&key, "%s/%zu", push->idempotency_key, batch->index);
    }
    batch->index++;
    const struct request request = {
        .method = "POST", .path = "/v1/sagas/bulk", .body = body, .idempotency_key = key.data};
    struct answer answer;
    const enum status status = client_call(push->cli->client, &request, arena, &answer);
    if (status == STATUS_OK) take_results(push, batch, json_items(answer.json, "items"), arena);
    return status;
}

enum status push_all(struct push *push)
{
    struct arena arena = {0};
    struct batch batch = {.count = 0};
    enum status status = STATUS_OK;
    size_t sent = 0;
    while (status == STATUS_OK) {
        arena_reset(&arena);
        const struct bytes body = fill(push, &batch, &arena);
        if (batch.count == 0) break;
        status = push_batch(push, &batch, body, &arena);
        sent += batch.count;
        if (push->progress != NULL && status == STATUS_OK) {
            push->progress(push->context, sent, push->total);
        }
    }
    arena_done(&arena);
    return status;
}
