#include "cli/show.h"

#include "cli/json.h"
#include "cli/states.h"
#include "cli/times.h"

#include <inttypes.h>
#include <stdio.h>

struct bytes show_step_name(struct arena *arena, struct bytes id, const struct json_view *index)
{
    int64_t number = 0;
    if (index == NULL || !json_view_int64(index, &number)) return id;
    struct buffer name = buffer_in(arena);
    buffer_add_bytes(&name, id);
    buffer_add_format(&name, "[%" PRId64 "]", number);
    return buffer_bytes(&name);
}

static struct bytes error_text(const struct json_view *item, struct arena *arena)
{
    const struct json_view *error = json_value(item, "error");
    if (error == NULL || error->type != VIEW_OBJECT) return json_plain(error, arena);
    struct buffer text = buffer_in(arena);
    const struct bytes detail = json_text(error, "detail");
    buffer_add_bytes(&text, json_text(error, "code"));
    if (detail.size > 0) {
        buffer_add_text(&text, text.size > 0 ? ": " : "");
        buffer_add_bytes(&text, detail);
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

static void add_took(const struct show *show, struct table *table, const struct json_view *item)
{
    char text[TIMES_TEXT_SIZE] = "";
    const int64_t started_ms = json_time(item, "started_at");
    const int64_t finished_ms = json_time(item, "finished_at");
    const bool settled = step_is_settled(json_text(item, "state"));
    if (started_ms != 0 && (finished_ms != 0 || !settled)) {
        times_span((finished_ms != 0 && settled ? finished_ms : show->now_ms) - started_ms, text);
    }
    table_add_text(table, STYLE_PLAIN, text);
}

/* When something happens next by itself: the retry, else the end of the attempt's time. */
static void add_next(const struct show *show, struct table *table, const struct json_view *item)
{
    char text[TIMES_TEXT_SIZE] = "";
    if (!step_is_settled(json_text(item, "state"))) {
        const int64_t retry_ms = json_time(item, "next_attempt_at");
        const int64_t deadline_ms = json_time(item, "deadline_at");
        char when[TIMES_TEXT_SIZE];
        times_ago(show->now_ms, retry_ms != 0 ? retry_ms : deadline_ms, when);
        if (retry_ms != 0) {
            (void)snprintf(text, sizeof text, "retry %.20s", when);
        } else if (deadline_ms != 0) {
            (void)snprintf(text, sizeof text, "timeout %.20s", when);
        }
    }
    table_add_text(table, STYLE_DIM, text);
}

static void add_row(const struct show *show, struct table *table, const struct json_view *item)
{
    struct arena *arena = show->arena;
    const struct bytes state = json_text(item, "state");
    const struct bytes name =
        show_step_name(arena, json_text(item, "id"), json_value(item, "index"));
    const int64_t attempt = json_int(item, "attempt", 0);
    char attempts[TIMES_TEXT_SIZE] = "";
    if (attempt > 0) (void)snprintf(attempts, sizeof attempts, "%" PRId64, attempt);
    table_add(table, STYLE_PLAIN, name);
    table_add(table, step_state_style(state), state);
    table_add_text(table, attempt > 1 ? STYLE_WARN : STYLE_PLAIN, attempts);
    add_took(show, table, item);
    add_next(show, table, item);
    table_add(table, STYLE_PLAIN, error_text(item, arena));
    if (!show->wide) return;
    table_add(table, STYLE_PLAIN, json_text(item, "kind"));
    table_add(table, STYLE_PLAIN, json_text(item, "op"));
    table_add(table, STYLE_PLAIN, json_plain(json_value(item, "output"), arena));
}

/* Items of the step that `first` begins, as far as they follow it. */
static const struct json_view *step_end(const struct json_view *first)
{
    const struct bytes id = json_text(first, "id");
    const struct json_view *each = first;
    while (each != NULL && bytes_equal(json_text(each, "id"), id)) {
        each = each->next;
    }
    return each;
}

/* A foreach in one row: "reserve x 400" and how many are in which state. */
static void add_sum(const struct show *show, struct table *table, const struct json_view *first,
                    const struct json_view *end)
{
    enum { STATES_MAX = 12 };
    struct {
        struct bytes state;
        int count;
    } sums[STATES_MAX];
    int kinds = 0;
    int total = 0;
    for (const struct json_view *each = first; each != end; each = each->next, total++) {
        const struct bytes state = json_text(each, "state");
        int i = 0;
        while (i < kinds && !bytes_equal(sums[i].state, state)) {
            i++;
        }
        if (i == STATES_MAX) continue;
        if (i == kinds) {
            sums[kinds].state = state;
            sums[kinds++].count = 0;
        }
        sums[i].count++;
    }
    struct buffer name = buffer_in(show->arena);
    buffer_add_bytes(&name, json_text(first, "id"));
    buffer_add_format(&name, " x %d", total);
    struct buffer states = buffer_in(show->arena);
    for (int i = 0; i < kinds; i++) {
        buffer_add_format(&states, "%s%d ", i > 0 ? ", " : "", sums[i].count);
        buffer_add_bytes(&states, sums[i].state);
    }
    table_add(table, STYLE_PLAIN, buffer_bytes(&name));
    table_add(table, kinds == 1 ? step_state_style(sums[0].state) : STYLE_BUSY,
              buffer_bytes(&states));
    for (size_t i = 2; i < table->column_count; i++) {
        table_add(table, STYLE_PLAIN, BYTES(""));
    }
}

static struct table step_table(const struct show *show)
{
    static const char *const HEADINGS[] = {"STEP", "STATE", "TRY", "TOOK", "NEXT", "ERROR"};
    static const char *const WIDE_HEADINGS[] = {"KIND", "OP", "OUTPUT"};
    struct table table = table_in(show->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    for (size_t i = 0; show->wide && i < sizeof WIDE_HEADINGS / sizeof WIDE_HEADINGS[0]; i++) {
        table_column(&table, WIDE_HEADINGS[i]);
    }
    return table;
}

void show_steps(const struct show *show, const struct json_view *items, size_t limit,
                struct buffer *buffer)
{
    size_t count = 0;
    for (const struct json_view *each = items; each != NULL; each = each->next) {
        count++;
    }
    const bool sum_up = limit > 0 && count > limit;
    struct table table = step_table(show);
    size_t left_out = 0;
    for (const struct json_view *each = items; each != NULL;) {
        const struct json_view *end = sum_up ? step_end(each) : each->next;
        if (limit > 0 && table_rows(&table) == limit) {
            left_out++;
        } else if (end != each->next) {
            add_sum(show, &table, each, end);
        } else {
            add_row(show, &table, each);
        }
        each = end;
    }
    table_print(&table, show->terminal, "  ", buffer);
    if (left_out > 0) buffer_add_format(buffer, "  ... %zu more\n", left_out);
}
