/*
 * orchestrator/base/log.c
 *   The format is `name=value` pairs; on a pipe they become members of one JSON object.
 */
#include "orchestrator/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static atomic_int log_level = LOG_INFO; /* the program's only mutable global */

static const char *const LEVEL_NAMES[] = {"debug", "info", "warning", "error"};

void log_set_level(enum log_level level)
{
    atomic_store(&log_level, (int)level);
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (strcmp(name, LEVEL_NAMES[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

struct line {
    char text[LINE_MAX_BYTES * 2 + 256];
    size_t size;
};

static void put(struct line *line, const char *data, size_t size)
{
    const size_t room = sizeof line->text - 4 - line->size; /* "}\n" and NUL always fit */
    if (size > room) size = room;
    memcpy(line->text + line->size, data, size);
    line->size += size;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_escaped(struct line *line, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)data[i];
        if (c == '"' || c == '\\') {
            put(line, "\\", 1);
            put(line, data + i, 1);
        } else if (c < 0x20 || c == 0x7f) {
            char escape[8];
            (void)snprintf(escape, sizeof escape, "\\u%04x", c);
            put_text(line, escape);
        } else {
            put(line, data + i, 1);
        }
    }
}

static bool is_number(const char *data, size_t size)
{
    if (size == 0 || size > 15) return false;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '-' && i == 0 && size > 1) continue;
        if (data[i] < '0' || data[i] > '9') return false;
    }
    return size == 1 || data[data[0] == '-'] != '0';
}

/* The end of the value that begins at `text`: quoted up to the last quote before ` name=` or the
 * end. */
static const char *value_end(const char *text)
{
    if (*text != '"') return text + strcspn(text, " ");
    for (const char *quote = strchr(text + 1, '"'); quote != NULL; quote = strchr(quote + 1, '"')) {
        if (quote[1] == '\0') return quote + 1;
        const char *name = quote + 2;
        const size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789");
        if (quote[1] == ' ' && letters > 0 && name[letters] == '=') return quote + 1;
    }
    return text + strlen(text);
}

static void put_fields_as_json(struct line *line, const char *fields)
{
    while (*fields != '\0') {
        const size_t name_size = strcspn(fields, "= ");
        if (fields[name_size] != '=') break;
        const char *value = fields + name_size + 1;
        const char *end = value_end(value);
        put_text(line, ",\"");
        put_escaped(line, fields, name_size);
        put_text(line, "\":");
        if (*value == '"' && end - value >= 2) {
            put_text(line, "\"");
            put_escaped(line, value + 1, (size_t)(end - value) - (end[-1] == '"' ? 2 : 1));
            put_text(line, "\"");
        } else if (is_number(value, (size_t)(end - value))) {
            put(line, value, (size_t)(end - value));
        } else {
            put_text(line, "\"");
            put_escaped(line, value, (size_t)(end - value));
            put_text(line, "\"");
        }
        fields = end;
        while (*fields == ' ') {
            fields++;
        }
    }
    if (*fields != '\0') {
        put_text(line, ",\"text\":\"");
        put_escaped(line, fields, strlen(fields));
        put_text(line, "\"");
    }
}

static void put_time(struct line *line, bool with_date)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    gmtime_r(&now.tv_sec, &parts);
    char text[48];
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    put_text(line, with_date ? text : text + sizeof "2026-01-01T" - 1);
    (void)snprintf(text, sizeof text, ".%03ldZ", now.tv_nsec / 1000000);
    put_text(line, text);
}

static void put_plain(struct line *line, const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        put(line, c < 0x20 || c == 0x7f ? " " : text, 1);
    }
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if ((int)level < atomic_load(&log_level)) return;
    char fields[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fields, sizeof fields, format, arguments);
    va_end(arguments);

    struct line line = {.size = 0};
    if (isatty(STDERR_FILENO)) {
        put_time(&line, false);
        put_text(&line, " ");
        put_text(&line, LEVEL_NAMES[level]);
        put_text(&line, " ");
        put_text(&line, event);
        put_text(&line, " ");
        put_plain(&line, fields);
    } else {
        put_text(&line, "{\"at\":\"");
        put_time(&line, true);
        put_text(&line, "\",\"level\":\"");
        put_text(&line, LEVEL_NAMES[level]);
        put_text(&line, "\",\"event\":\"");
        put_escaped(&line, event, strlen(event));
        put_text(&line, "\"");
        put_fields_as_json(&line, fields);
        memcpy(line.text + line.size, "}", 1);
        line.size++;
    }
    line.text[line.size++] = '\n';
    (void)!write(STDERR_FILENO, line.text, line.size); /* one write: lines of threads do not mix */
}
