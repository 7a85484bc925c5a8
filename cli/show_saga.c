#include "cli/show.h"

#include "cli/json.h"
#include "cli/states.h"
#include "cli/times.h"

#include <inttypes.h>
#include <string.h>

static struct bytes definition_text(const struct json_view *saga, struct arena *arena)
{
    const struct json_view *definition = json_value(saga, "definition");
    const int64_t version = json_int(definition, "version", 0);
    struct buffer text = buffer_in(arena);
    buffer_add_bytes(&text, json_text(definition, "name"));
    if (version > 0) buffer_add_format(&text, " v%" PRId64, version);
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

/* The state and the flags beside it: "running, paused". */
static struct bytes state_text(const struct json_view *saga, struct arena *arena)
{
    struct buffer text = buffer_in(arena);
    buffer_add_bytes(&text, json_text(saga, "state"));
    const bool open = saga_ending(json_text(saga, "state")) == ENDING_NONE;
    if (json_true(saga, "paused")) buffer_add_text(&text, ", paused");
    if (open && json_true(saga, "cancel_requested")) buffer_add_text(&text, ", cancelling");
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

static struct bytes attention_text(const struct json_view *saga, struct arena *arena)
{
    struct buffer text = buffer_in(arena);
    const struct json_view *each = json_items(saga, "attention");
    for (; each != NULL; each = each->next) {
        if (text.size > 0) buffer_add_char(&text, ',');
        buffer_add_bytes(&text, json_plain(each, arena));
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

/* "charge: card_declined", with the detail behind it when there is room for more. */
static struct bytes error_text(const struct json_view *saga, bool wide, struct arena *arena)
{
    const struct json_view *error = json_value(saga, "error");
    if (error == NULL) return BYTES("");
    struct buffer text = buffer_in(arena);
    const struct bytes step = json_text(error, "step");
    const struct bytes detail = json_text(error, "detail");
    if (step.size > 0) {
        buffer_add_bytes(&text, step);
        buffer_add_text(&text, ": ");
    }
    buffer_add_bytes(&text, json_text(error, "code"));
    if (wide && detail.size > 0) {
        buffer_add_text(&text, ", ");
        buffer_add_bytes(&text, detail);
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

/* "team=shop,tier=critical" */
static struct bytes pairs_text(const struct json_view *object, struct arena *arena)
{
    struct buffer text = buffer_in(arena);
    const struct json_view *each = object != NULL ? object->child : NULL;
    for (; each != NULL; each = each->next) {
        if (text.size > 0) buffer_add_char(&text, ',');
        buffer_add_bytes(&text, each->key);
        buffer_add_char(&text, '=');
        buffer_add_bytes(&text, json_plain(each, arena));
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

/* From its making to its end, or to now. */
static void took_text(const struct show *show, const struct json_view *saga,
                      char ret_text[TIMES_TEXT_SIZE])
{
    const int64_t created_ms = json_time(saga, "created_at");
    const int64_t finished_ms = json_time(saga, "finished_at");
    times_span((finished_ms != 0 ? finished_ms : show->now_ms) - created_ms, ret_text);
}

struct table show_saga_table(const struct show *show)
{
    static const char *const HEADINGS[] = {"ID",      "DEFINITION", "STATE", "ATTENTION",
                                           "CREATED", "TOOK",       "ERROR"};
    static const char *const WIDE_HEADINGS[] = {"REVISION", "LABELS", "ATTRIBUTES"};
    struct table table = table_in(show->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    for (size_t i = 0; show->wide && i < sizeof WIDE_HEADINGS / sizeof WIDE_HEADINGS[0]; i++) {
        table_column(&table, WIDE_HEADINGS[i]);
    }
    return table;
}

void show_saga_row(const struct show *show, struct table *table, const struct json_view *saga)
{
    struct arena *arena = show->arena;
    char created[TIMES_TEXT_SIZE];
    char took[TIMES_TEXT_SIZE];
    times_ago(show->now_ms, json_time(saga, "created_at"), created);
    took_text(show, saga, took);
    table_add(table, STYLE_PLAIN, json_text(saga, "id"));
    table_add(table, STYLE_PLAIN, definition_text(saga, arena));
    table_add(table, saga_state_style(json_text(saga, "state")), state_text(saga, arena));
    table_add(table, STYLE_WARN, attention_text(saga, arena));
    table_add_text(table, STYLE_PLAIN, created);
    table_add_text(table, STYLE_PLAIN, took);
    table_add(table, STYLE_PLAIN, error_text(saga, show->wide, arena));
    if (!show->wide) return;
    table_add(table, STYLE_PLAIN, json_plain(json_value(saga, "revision"), arena));
    table_add(table, STYLE_PLAIN, pairs_text(json_value(saga, "labels"), arena));
    table_add(table, STYLE_PLAIN, pairs_text(json_value(saga, "attributes"), arena));
}

void show_saga_line(const struct show *show, const struct json_view *saga, struct buffer *buffer)
{
    enum { GAPS = 6, ID_WIDTH_MIN = 8 };
    char took[TIMES_TEXT_SIZE];
    took_text(show, saga, took);
    const struct terminal *terminal = show->terminal;
    const struct bytes definition = definition_text(saga, show->arena);
    const struct bytes state = state_text(saga, show->arena);
    /* In a narrow window the id gives way. */
    const size_t others = terminal_width(definition) + terminal_width(state) + strlen(took) + GAPS;
    const size_t columns = (size_t)terminal->columns;
    const size_t room = columns > others + ID_WIDTH_MIN ? columns - others : ID_WIDTH_MIN;
    terminal_add_text(buffer, terminal, STYLE_BOLD, definition, 0);
    buffer_add_text(buffer, "  ");
    terminal_add_text(buffer, terminal, STYLE_DIM, json_text(saga, "id"), columns > 0 ? room : 0);
    buffer_add_text(buffer, "  ");
    terminal_add_text(buffer, terminal, saga_state_style(json_text(saga, "state")), state, 0);
    buffer_add_format(buffer, "  %s\n", took);
}

/* "  name      value", cut at the window's edge. */
static void add_field(const struct show *show, struct buffer *buffer, const char *name,
                      struct bytes value)
{
    enum { NAME_WIDTH = 17, INDENT = 2 };
    if (value.size == 0) return;
    const int columns = show->terminal->columns;
    const int room = columns - NAME_WIDTH - INDENT;
    buffer_add_format(buffer, "%*s", INDENT, "");
    char padded[NAME_WIDTH + 1];
    size_t at = 0;
    for (; name[at] != '\0' && at < NAME_WIDTH; at++) {
        padded[at] = name[at];
    }
    for (; at < NAME_WIDTH; at++) {
        padded[at] = ' ';
    }
    padded[NAME_WIDTH] = '\0';
    terminal_add_text(buffer, show->terminal, STYLE_DIM, bytes_of(padded), 0);
    terminal_add_text(buffer, show->terminal, STYLE_PLAIN, value, room > 0 ? (size_t)room : 0);
    buffer_add_char(buffer, '\n');
}

static void add_time(const struct show *show, struct buffer *buffer, const char *name,
                     int64_t at_ms)
{
    if (at_ms == 0) return;
    char ago[TIMES_TEXT_SIZE];
    char clock[TIMES_TEXT_SIZE];
    times_ago(show->now_ms, at_ms, ago);
    times_print(at_ms, clock);
    struct buffer text = buffer_in(show->arena);
    buffer_add_format(&text, "%s  (%s)", ago, clock);
    add_field(show, buffer, name, buffer_bytes(&text));
}

void show_saga(const struct show *show, const struct json_view *saga, struct buffer *buffer)
{
    struct arena *arena = show->arena;
    show_saga_line(show, saga, buffer);
    add_time(show, buffer, "created", json_time(saga, "created_at"));
    const bool held = json_is(saga, "state", "pending");
    add_time(show, buffer, "starts", held ? json_time(saga, "start_at") : 0);
    add_time(show, buffer, "ended", json_time(saga, "finished_at"));
    const bool open = saga_ending(json_text(saga, "state")) == ENDING_NONE;
    add_time(show, buffer, "deadline", open ? json_time(saga, "deadline_at") : 0);
    add_field(show, buffer, "attention", attention_text(saga, arena));
    add_field(show, buffer, "error", error_text(saga, true, arena));
    add_field(show, buffer, "parent", json_text(json_value(saga, "parent"), "id"));
    add_field(show, buffer, "labels", pairs_text(json_value(saga, "labels"), arena));
    add_field(show, buffer, "attributes", pairs_text(json_value(saga, "attributes"), arena));
    add_field(show, buffer, "input", json_plain(json_value(saga, "input"), arena));
    add_field(show, buffer, "output", json_plain(json_value(saga, "output"), arena));
}

void show_why(const struct show *show, const struct json_view *why, struct buffer *buffer)
{
    terminal_add_text(buffer, show->terminal, STYLE_BOLD, json_text(why, "sentence"), 0);
    buffer_add_char(buffer, '\n');
    add_field(show, buffer, "saga", json_text(why, "saga"));
    add_field(show, buffer, "state", json_text(why, "state"));
    add_time(show, buffer, "since", json_time(why, "since"));
    const struct json_view *waits = json_value(why, "waiting_for");
    for (const struct json_view *each = waits != NULL ? waits->child : NULL; each != NULL;
         each = each->next) {
        const char *name = bytes_copy(show->arena, each->key).data;
        const int64_t at_ms = each->type == VIEW_STRING ? times_parse(each->string) : 0;
        if (at_ms != 0) {
            add_time(show, buffer, name, at_ms);
        } else {
            add_field(show, buffer, name, json_plain(each, show->arena));
        }
    }
}
