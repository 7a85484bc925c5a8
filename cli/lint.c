/*
 * cli/lint.c
 *   definitions lint: the same checks as the registration, without a server.
 *
 * Each problem names file, line and column, in the form that editors jump to.
 */
#include "cli/lint.h"

#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The core links no cryptography; nothing is stored here, so any spread will do. */
static void spread(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < size; i++) {
        sum = (sum ^ ((const uint8_t *)data)[i]) * 1099511628211u;
    }
    for (size_t i = 0; i < DEFINITION_HASH_SIZE; i++) {
        ret_hash[i] = (uint8_t)(sum >> (i % 8 * 8));
    }
}

struct place {
    size_t line, column; /* from 1; 0: unknown */
};

static struct place place_of(struct bytes text, const char *at)
{
    struct place place = {.line = 1, .column = 1};
    for (const char *c = text.data; c < at; c++) {
        place.column++;
        if (*c != '\n') continue;
        place.line++;
        place.column = 1;
    }
    return place;
}

/* One unescaped token of a JSON Pointer; false at the end. */
static bool next_token(struct bytes *pointer, struct arena *arena, struct bytes *ret_token)
{
    if (pointer->size == 0 || pointer->data[0] != '/') return false;
    struct buffer token = buffer_in(arena);
    size_t at = 1;
    for (; at < pointer->size && pointer->data[at] != '/'; at++) {
        char c = pointer->data[at];
        if (c == '~' && at + 1 < pointer->size) c = pointer->data[++at] == '1' ? '/' : '~';
        buffer_add_char(&token, c);
    }
    *pointer = (struct bytes){pointer->data + at, pointer->size - at};
    *ret_token = token.data != NULL ? buffer_bytes(&token) : BYTES("");
    return true;
}

/* The value that the pointer names, or the nearest one above it that is there. */
static const struct json_view *find(const struct json_view *root, struct bytes pointer,
                                    struct arena *arena)
{
    const struct json_view *view = root;
    struct bytes token;
    while (next_token(&pointer, arena, &token)) {
        const struct json_view *next = json_view_member_bytes(view, token);
        char *end = NULL;
        const unsigned long index = token.size > 0 ? strtoul(token.data, &end, 10) : 0;
        if (view->type == VIEW_ARRAY && end != NULL && *end == '\0') {
            next = json_view_item(view, index);
        }
        if (next == NULL) break;
        view = next;
    }
    return view;
}

struct lint {
    struct cli *cli;
    const char *file;
    struct bytes text;
    const struct json_view *root; /* NULL: no JSON */
    struct buffer *out;           /* problems as JSON items; NULL: as lines */
    bool errors_only;
    size_t printed;
};

static void report(struct lint *lint, const char *kind, const struct definition_problem *problem)
{
    struct arena *arena = &lint->cli->arena;
    struct place place = {0, 0};
    if (lint->root != NULL) {
        place = place_of(lint->text, find(lint->root, problem->pointer, arena)->text.data);
    }
    if (lint->out == NULL) {
        (void)printf("%s:%zu:%zu: %s: %.*s%s%.*s\n", lint->file, place.line, place.column, kind,
                     (int)problem->pointer.size, problem->pointer.data,
                     problem->pointer.size > 0 ? ": " : "", (int)problem->detail.size,
                     problem->detail.data);
        return;
    }
    if (lint->printed++ > 0) buffer_add_char(lint->out, ',');
    buffer_add_text(lint->out, "{\"file\":");
    json_write_text(lint->out, lint->file);
    buffer_add_format(lint->out,
                      ",\"line\":%zu,\"column\":%zu,\"kind\":\"%s\",\"pointer\":", place.line,
                      place.column, kind);
    json_write_string(lint->out, problem->pointer);
    buffer_add_text(lint->out, ",\"detail\":");
    json_write_string(lint->out, problem->detail);
    buffer_add_char(lint->out, '}');
}

/* NULL when there is an error. */
static struct definition *lint_file(struct lint *lint)
{
    struct arena *arena = &lint->cli->arena;
    struct json_error error;
    if (!files_read(lint->file, DEFINITION_SIZE_MAX, arena, &lint->text)) return NULL;
    if (!json_view_parse(lint->text, arena, &lint->root, &error)) lint->root = NULL;
    const struct definition_rules rules = {
        .topics_allow = arguments_text(&lint->cli->arguments, OPTION_TOPICS_ALLOW)};
    struct definition_report found = {.error_count = 0};
    struct definition *definition = definition_parse(lint->text, &rules, spread, arena, &found);
    for (size_t i = 0; i < found.error_count; i++) {
        report(lint, "error", &found.errors[i]);
    }
    for (size_t i = 0; i < found.warning_count && !lint->errors_only; i++) {
        report(lint, "warning", &found.warnings[i]);
    }
    return definition;
}

struct definition *lint_read(struct cli *cli, const char *file)
{
    struct lint lint = {.cli = cli, .file = file, .errors_only = true};
    return lint_file(&lint);
}

enum status run_definitions_lint(struct cli *cli)
{
    struct buffer out = buffer_in(&cli->arena);
    struct lint lint = {.cli = cli, .out = cli_is_table(cli) ? NULL : &out};
    enum status status = STATUS_OK;
    if (lint.out != NULL) buffer_add_text(&out, "{\"items\":[");
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        lint.file = cli_word(cli, i);
        struct definition *const definition = lint_file(&lint);
        if (definition == NULL) {
            status = STATUS_ERROR;
            continue;
        }
        if (lint.out == NULL) {
            tell("%s: ok, %s with %u steps", lint.file,
                 bytes_copy(&cli->arena, definition->name).data, (unsigned)definition->step_count);
        }
        definition_free(definition);
    }
    if (lint.out == NULL) return status;
    buffer_add_text(&out, "]}\n");
    terminal_put(buffer_bytes(&out));
    return status;
}
