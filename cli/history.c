#include "cli/history.h"

#include "cli/json.h"
#include "cli/show.h"
#include "cli/times.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { AFTER_WIDTH = 9, TYPE_WIDTH = 22, STEP_WIDTH = 16 };

/* By the end of a type's name. */
static const struct {
    const char *ending;
    enum style style;
} STYLES[] = {
    {"succeeded",        STYLE_GOOD},
    {"failed",           STYLE_BAD },
    {"unknown",          STYLE_BAD },
    {"stuck",            STYLE_BAD },
    {"terminated",       STYLE_BAD },
    {"retry_scheduled",  STYLE_WARN},
    {"compensating",     STYLE_WARN},
    {"compensated",      STYLE_WARN},
    {"ignored",          STYLE_DIM },
    {"operator.command", STYLE_BUSY},
};

static enum style type_style(struct bytes type)
{
    for (size_t i = 0; i < sizeof STYLES / sizeof STYLES[0]; i++) {
        const size_t size = strlen(STYLES[i].ending);
        if (type.size >= size &&
            memcmp(type.data + type.size - size, STYLES[i].ending, size) == 0) {
            return STYLES[i].style;
        }
    }
    return STYLE_PLAIN;
}

static void add_padded(struct history_lines *lines, struct buffer *buffer, enum style style,
                       struct bytes text, size_t width)
{
    terminal_add_text(buffer, lines->terminal, style, text, 0);
    for (size_t i = terminal_width(text); i < width; i++) {
        buffer_add_char(buffer, ' ');
    }
    buffer_add_char(buffer, ' ');
}

/* The undo of a step reads "undo reserve[0]". */
static struct bytes where_text(struct history_lines *lines, const struct json_view *item)
{
    const struct bytes step = json_text(item, "step");
    if (step.size == 0) return BYTES("");
    struct buffer text = buffer_in(lines->arena);
    if (json_is(item, "op", "compensate")) buffer_add_text(&text, "undo ");
    buffer_add_bytes(&text, show_step_name(lines->arena, step, json_value(item, "index")));
    return buffer_bytes(&text);
}

/* Times that the lines before and after tell as well. */
static bool is_for_wide(struct bytes key)
{
    static const char *const KEYS[] = {"deadline_at", "next_attempt_at"};
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        if (bytes_equal_text(key, KEYS[i])) return true;
    }
    return false;
}

/* Attempt beyond the first, who, and the detail. */
static struct bytes rest_text(struct history_lines *lines, const struct json_view *item)
{
    struct buffer text = buffer_in(lines->arena);
    const int64_t attempt = json_int(item, "attempt", 0);
    if (attempt > 1) buffer_add_format(&text, "attempt %" PRId64 "  ", attempt);
    const struct bytes actor = json_text(item, "actor");
    if (actor.size > 0) {
        buffer_add_text(&text, "by ");
        buffer_add_bytes(&text, actor);
        buffer_add_text(&text, "  ");
    }
    const struct json_view *detail = json_value(item, "detail");
    const struct json_view *each = detail != NULL ? detail->child : NULL;
    for (; each != NULL; each = each->next) {
        if (!lines->wide && is_for_wide(each->key)) continue;
        buffer_add_bytes(&text, each->key);
        buffer_add_char(&text, '=');
        buffer_add_bytes(&text, json_plain(each, lines->arena));
        buffer_add_char(&text, ' ');
    }
    return text.data != NULL ? buffer_bytes(&text) : BYTES("");
}

void history_line(struct history_lines *lines, const struct json_view *item, struct buffer *buffer)
{
    const int64_t at_ms = json_time(item, "at");
    if (lines->first_at_ms == 0) lines->first_at_ms = at_ms;
    char clock[TIMES_TEXT_SIZE];
    char span[TIMES_TEXT_SIZE];
    times_clock(at_ms, clock);
    times_span(at_ms - lines->first_at_ms, span);
    const size_t before = buffer->size;
    if (lines->wide) buffer_add_format(buffer, "%5" PRId64 " ", json_int(item, "seq", 0));
    terminal_add_text(buffer, lines->terminal, STYLE_DIM, bytes_of(clock), 0);
    buffer_add_format(buffer, " %*s%s  ", (int)(AFTER_WIDTH - strlen(span)), "+", span);
    const struct bytes type = json_text(item, "type");
    add_padded(lines, buffer, type_style(type), type, TYPE_WIDTH);
    const struct bytes where = where_text(lines, item);
    const struct bytes rest = rest_text(lines, item);
    if (rest.size > 0) {
        add_padded(lines, buffer, STYLE_PLAIN, where, STEP_WIDTH);
    } else {
        terminal_add_text(buffer, lines->terminal, STYLE_PLAIN, where, 0);
    }
    terminal_add_text(buffer, lines->terminal, STYLE_DIM, rest, 0);
    while (buffer->size > before && buffer->data[buffer->size - 1] == ' ') {
        buffer->data[--buffer->size] = '\0';
    }
    buffer_add_char(buffer, '\n');
}
