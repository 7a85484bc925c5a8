#include "cli/demo/story.h"

#include "cli/json.h"
#include "cli/sagas.h"
#include "cli/show.h"
#include "cli/times.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- reading ---- */

static struct lane *lane_of(struct story *story, const struct json_view *item)
{
    const struct bytes step = json_text(item, "step");
    const struct bytes name = show_step_name(story->arena, step, json_value(item, "index"));
    for (size_t i = 0; i < story->lane_count; i++) {
        if (bytes_equal(story->lane[i].name, name)) return &story->lane[i];
    }
    if (story->lane_count == story->lane_capacity) {
        story->lane_capacity = story->lane_capacity == 0 ? 16 : story->lane_capacity * 2;
        struct lane *grown = arena_array(story->arena, story->lane_capacity, sizeof *grown);
        if (story->lane_count > 0) memcpy(grown, story->lane, story->lane_count * sizeof *grown);
        story->lane = grown;
    }
    struct lane *lane = &story->lane[story->lane_count++];
    *lane = (struct lane){.step = step, .name = name};
    return lane;
}

static void close_span(struct lane *lane, int64_t at_ms)
{
    if (lane->span_count == 0) return;
    struct span *last = &lane->span[lane->span_count - 1];
    if (last->to_ms == 0) last->to_ms = at_ms;
}

static void open_span(struct lane *lane, enum span_kind kind, int64_t at_ms)
{
    close_span(lane, at_ms);
    if (lane->span_count == LANE_SPANS_MAX) return;
    lane->span[lane->span_count++] = (struct span){.kind = kind, .from_ms = at_ms};
}

/* One thing that a history row can say about a lane. */
struct happening {
    struct story *story;
    struct lane *lane;
    const struct json_view *item;
    int64_t at_ms;
    bool undo;
};

static void sent(const struct happening *that)
{
    open_span(that->lane, that->undo ? SPAN_UNDO : SPAN_RUN, that->at_ms);
    if (that->undo) {
        that->lane->undo_sent++;
    } else {
        that->lane->attempts++;
    }
}

static void put_off(const struct happening *that)
{
    const struct bytes code = json_text(json_value(that->item, "detail"), "code");
    open_span(that->lane, SPAN_PAUSE, that->at_ms);
    if (code.size > 0) that->lane->code = code;
}

static void ended(const struct happening *that)
{
    static const char *const PREFIX = "step.";
    struct lane *lane = that->lane;
    const struct bytes type = json_text(that->item, "type");
    const struct bytes code = json_text(json_value(that->item, "detail"), "code");
    const struct bytes how = {type.data + strlen(PREFIX), type.size - strlen(PREFIX)};
    close_span(lane, that->at_ms);
    if (code.size > 0) lane->code = code;
    if (!that->undo) {
        lane->ended = how;
        return;
    }
    if (!bytes_equal_text(how, "succeeded")) return;
    lane->undone++;
    lane->undo_order = ++that->story->undo_count;
}

static const struct {
    const char *type;
    void (*take)(const struct happening *that);
} HAPPENINGS[] = {
    {"step.dispatched",      sent   },
    {"step.retry_scheduled", put_off},
    {"step.succeeded",       ended  },
    {"step.failed",          ended  },
    {"step.unknown",         ended  },
};

/* What happened, in words, as far as it was told. */
struct order {
    struct buffer text;
    struct bytes step; /* of the last word, when it may be continued */
    bool undo;         /* the last word is about an undo */
};

/* "reserve[0]" goes on as "reserve[0,1]". */
static bool continue_word(struct order *order, const struct happening *happening, bool good)
{
    int64_t index = 0;
    const struct json_view *number = json_value(happening->item, "index");
    const bool same = good && order->undo == happening->undo &&
                      bytes_equal(order->step, happening->lane->step) && number != NULL &&
                      json_view_int64(number, &index) && order->text.size > 0 &&
                      order->text.data[order->text.size - 1] == ']';
    if (!same) return false;
    order->text.size--;
    buffer_add_format(&order->text, ",%" PRId64 "]", index);
    return true;
}

static void add_to_order(struct order *order, const struct happening *happening)
{
    const struct lane *lane = happening->lane;
    const bool good = json_is(happening->item, "type", "step.succeeded");
    const bool over = !json_is(happening->item, "type", "step.dispatched") &&
                      !json_is(happening->item, "type", "step.retry_scheduled");
    if (!over || continue_word(order, happening, good)) return;
    const bool turn = happening->undo && !order->undo;
    if (order->text.size > 0) buffer_add_text(&order->text, turn ? "; undone: " : ", ");
    buffer_add_bytes(&order->text, lane->name);
    order->undo = happening->undo;
    order->step = good ? lane->step : BYTES("");
    if (good) return;
    buffer_add_text(&order->text, " (");
    buffer_add_bytes(&order->text, lane->ended);
    buffer_add_char(&order->text, ')');
}

static void take_item(struct story *story, const struct json_view *item, struct order *order)
{
    const struct bytes type = json_text(item, "type");
    const int64_t at_ms = json_time(item, "at");
    if (story->started_ms == 0) story->started_ms = at_ms;
    story->ended_ms = at_ms;
    if (json_text(item, "step").size == 0) return;
    for (size_t i = 0; i < sizeof HAPPENINGS / sizeof HAPPENINGS[0]; i++) {
        if (!bytes_equal_text(type, HAPPENINGS[i].type)) continue;
        const struct happening happening = {.story = story,
                                            .lane = lane_of(story, item),
                                            .item = item,
                                            .at_ms = at_ms,
                                            .undo = json_is(item, "op", "compensate")};
        HAPPENINGS[i].take(&happening);
        add_to_order(order, &happening);
    }
}

enum status story_read(struct cli *cli, const char *id, const struct json_view *saga,
                       struct story *ret_story)
{
    struct arena *arena = &cli->arena;
    *ret_story = (struct story){.arena = arena, .state = json_text(saga, "state")};
    struct order order = {.text = buffer_in(arena)};
    const char *cursor = NULL;
    do {
        struct buffer path = buffer_in(arena);
        buffer_add_text(&path, sagas_path(arena, id, "/history"));
        path_add_query(&path, "limit", "500");
        if (cursor != NULL) path_add_query(&path, "cursor", cursor);
        const struct request request = {.path = path.data};
        struct answer answer;
        const enum status status = client_call(cli->client, &request, arena, &answer);
        if (status != STATUS_OK) return status;
        const struct json_view *items = json_items(answer.json, "items");
        for (const struct json_view *each = items; each != NULL; each = each->next) {
            take_item(ret_story, each, &order);
        }
        const struct bytes next = json_text(answer.json, "next_cursor");
        cursor = items != NULL && next.size > 0 ? bytes_copy(arena, next).data : NULL;
    } while (cursor != NULL);
    if (order.text.data != NULL) ret_story->order = buffer_bytes(&order.text);
    return STATUS_OK;
}

/* ---- printing ---- */

enum { BAR_WIDTH = 36, NAME_WIDTH_MIN = 12 };

static const struct ink {
    const char *utf8, *ascii;
    enum style style;
} INKS[] = {
    [SPAN_RUN] = {"\u2588", "#", STYLE_GOOD},
    [SPAN_PAUSE] = {"\u00b7", ".", STYLE_DIM },
    [SPAN_UNDO] = {"\u2592", "u", STYLE_WARN},
};

static int column_of(const struct story *story, int64_t at_ms)
{
    const int64_t whole_ms = story->ended_ms - story->started_ms;
    if (whole_ms <= 0) return 0;
    const int64_t column = (at_ms - story->started_ms) * BAR_WIDTH / whole_ms;
    return column < 0 ? 0 : column >= BAR_WIDTH ? BAR_WIDTH - 1 : (int)column;
}

/* Which ink each column of the bar gets; -1: none. Later spans paint over earlier ones. */
static void paint(const struct story *story, const struct lane *lane, int cell[BAR_WIDTH])
{
    for (int i = 0; i < BAR_WIDTH; i++) {
        cell[i] = -1;
    }
    for (size_t i = 0; i < lane->span_count; i++) {
        const struct span *span = &lane->span[i];
        const int64_t to_ms = span->to_ms != 0 ? span->to_ms : story->ended_ms;
        const int from = column_of(story, span->from_ms);
        int to = column_of(story, to_ms);
        if (to > from && to_ms < story->ended_ms) to--;
        for (int at = from; at <= to; at++) {
            if (span->kind != SPAN_PAUSE || cell[at] < 0) cell[at] = (int)span->kind;
        }
    }
}

static void print_bar(const struct story *story, const struct lane *lane,
                      const struct terminal *terminal, struct buffer *buffer)
{
    int cell[BAR_WIDTH];
    paint(story, lane, cell);
    for (int i = 0; i < BAR_WIDTH; i++) {
        if (cell[i] < 0) {
            buffer_add_char(buffer, ' ');
            continue;
        }
        const struct ink *ink = &INKS[cell[i]];
        const bool refused = cell[i] == SPAN_RUN && !bytes_equal_text(lane->ended, "succeeded");
        terminal_add_text(buffer, terminal, refused ? STYLE_BAD : ink->style,
                          bytes_of(terminal->utf8 ? ink->utf8 : ink->ascii), 0);
    }
}

/* The time that the action had, from its first command to its end. */
static int64_t action_ms(const struct lane *lane)
{
    int64_t to_ms = 0;
    for (size_t i = 0; i < lane->span_count; i++) {
        if (lane->span[i].kind != SPAN_UNDO) to_ms = lane->span[i].to_ms;
    }
    return lane->span_count > 0 && to_ms > 0 ? to_ms - lane->span[0].from_ms : 0;
}

/* "done in 12 ms", "refused: card_declined", "no answer to 4 attempts, ..., then undone". */
static void print_words(const struct lane *lane, struct buffer *buffer)
{
    char span[TIMES_TEXT_SIZE];
    times_span(action_ms(lane), span);
    if (bytes_equal_text(lane->ended, "succeeded")) {
        buffer_add_format(buffer, "done in %s", span);
        if (lane->attempts > 1) buffer_add_format(buffer, " at attempt %" PRId64, lane->attempts);
        if (lane->attempts > 1 && lane->code.size > 0) {
            buffer_add_text(buffer, " (");
            buffer_add_bytes(buffer, lane->code);
            buffer_add_char(buffer, ')');
        }
    } else if (bytes_equal_text(lane->ended, "failed")) {
        buffer_add_text(buffer, "refused: ");
        buffer_add_bytes(buffer, lane->code);
    } else if (bytes_equal_text(lane->ended, "unknown")) {
        buffer_add_format(buffer, "no answer to %" PRId64 " attempts", lane->attempts);
    }
    const bool unknown = bytes_equal_text(lane->ended, "unknown");
    if (lane->undone > 0) buffer_add_text(buffer, unknown ? ", so undone" : ", undone");
    if (lane->undo_sent > 1) buffer_add_format(buffer, " at attempt %" PRId64, lane->undo_sent);
}

void story_print(const struct story *story, const struct terminal *terminal, struct buffer *buffer)
{
    size_t width = NAME_WIDTH_MIN;
    for (size_t i = 0; i < story->lane_count; i++) {
        if (terminal_width(story->lane[i].name) > width) {
            width = terminal_width(story->lane[i].name);
        }
    }
    for (size_t i = 0; i < story->lane_count; i++) {
        const struct lane *lane = &story->lane[i];
        buffer_add_text(buffer, "     ");
        terminal_add_text(buffer, terminal, STYLE_PLAIN, lane->name, 0);
        for (size_t n = terminal_width(lane->name); n < width + 1; n++) {
            buffer_add_char(buffer, ' ');
        }
        buffer_add_text(buffer, terminal->utf8 ? "\u2502" : "|");
        print_bar(story, lane, terminal, buffer);
        buffer_add_text(buffer, terminal->utf8 ? "\u2502 " : "| ");
        print_words(lane, buffer);
        buffer_add_char(buffer, '\n');
    }
    buffer_add_text(buffer, "     ");
    struct buffer line = buffer_in(story->arena);
    buffer_add_text(&line, "in order: ");
    buffer_add_bytes(&line, story->order);
    terminal_add_text(buffer, terminal, STYLE_DIM, buffer_bytes(&line), 0);
    buffer_add_char(buffer, '\n');
}
