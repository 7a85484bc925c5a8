#include "api/problem.h"

#include "sagas/base/json_view.h"

#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static struct bytes
print(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    const int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *const text = arena_alloc(arena, (size_t)size + 1);
    (void)vsnprintf(text, (size_t)size + 1, format, arguments);
    return (struct bytes){text, (size_t)size};
}

bool refuse(struct refusal *refusal, enum problem problem, const char *format, ...)
{
    if (refusal->problem != PROBLEM_NONE) return false;
    va_list arguments;
    va_start(arguments, format);
    refusal->problem = problem;
    refusal->detail = print(refusal->arena, format, arguments);
    va_end(arguments);
    return false;
}

bool refuse_at(struct refusal *refusal, struct bytes pointer, const char *format, ...)
{
    if (refusal->problem == PROBLEM_NONE) refusal->problem = PROBLEM_INVALID;
    if (refusal->faults == NULL) {
        refusal->faults = arena_array(refusal->arena, FAULTS_MAX, sizeof(struct fault));
    }
    if (refusal->fault_count == FAULTS_MAX) return false;
    va_list arguments;
    va_start(arguments, format);
    refusal->faults[refusal->fault_count++] =
        (struct fault){pointer, print(refusal->arena, format, arguments)};
    va_end(arguments);
    return false;
}

struct bytes pointer_to(struct arena *arena, struct bytes base, const char *token)
{
    struct buffer pointer = buffer_in(arena);
    buffer_add_bytes(&pointer, base);
    json_pointer_add(&pointer, bytes_of(token));
    return buffer_bytes(&pointer);
}

/* The detail, or the first fault where there is none: nobody is left with a title only. */
static struct bytes detail_of(const struct refusal *refusal, struct buffer *scratch)
{
    if (refusal->detail.data != NULL) return refusal->detail;
    if (refusal->fault_count == 0) return bytes_of(problem_row(refusal->problem)->cause);
    const struct fault *const first = &refusal->faults[0];
    if (first->pointer.size > 0) {
        buffer_add_bytes(scratch, first->pointer);
        buffer_add_text(scratch, ": ");
    }
    buffer_add_bytes(scratch, first->detail);
    if (refusal->fault_count > 1) {
        buffer_add_format(scratch, " (and %zu more)", refusal->fault_count - 1);
    }
    return buffer_bytes(scratch);
}

void problem_write(struct buffer *buffer, const struct refusal *refusal, const char *request_id)
{
    const struct problem_row *const row = problem_row(refusal->problem);
    struct buffer scratch = buffer_in(refusal->arena);

    buffer_add_format(buffer, "{\"type\":\"/problems/%s\",\"title\":", row->slug);
    json_write_text(buffer, row->title);
    buffer_add_format(buffer, ",\"status\":%u,\"detail\":", row->status);
    json_write_string(buffer, detail_of(refusal, &scratch));
    buffer_add_text(buffer, ",\"errors\":[");
    for (size_t i = 0; i < refusal->fault_count; i++) {
        buffer_add_text(buffer, i > 0 ? ",{\"pointer\":" : "{\"pointer\":");
        json_write_string(buffer, refusal->faults[i].pointer);
        buffer_add_text(buffer, ",\"detail\":");
        json_write_string(buffer, refusal->faults[i].detail);
        buffer_add_char(buffer, '}');
    }
    buffer_add_text(buffer, "],\"request_id\":");
    json_write_text(buffer, request_id);
    buffer_add_text(buffer, row->retryable ? ",\"retryable\":true}" : ",\"retryable\":false}");
}

void problem_write_json(struct buffer *buffer, enum problem problem)
{
    const struct problem_row *const row = problem_row(problem);
    buffer_add_format(buffer, "{\"type\":\"/problems/%s\",\"status\":%u,\"title\":", row->slug,
                      row->status);
    json_write_text(buffer, row->title);
    buffer_add_text(buffer, ",\"cause\":");
    json_write_text(buffer, row->cause);
    buffer_add_text(buffer, ",\"fix\":");
    json_write_text(buffer, row->fix);
    buffer_add_text(buffer, row->retryable ? ",\"retryable\":true}" : ",\"retryable\":false}");
}

static void add_html(struct buffer *buffer, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        switch (*c) {
        case '<': buffer_add_text(buffer, "&lt;"); break;
        case '>': buffer_add_text(buffer, "&gt;"); break;
        case '&': buffer_add_text(buffer, "&amp;"); break;
        default: buffer_add_char(buffer, *c); break;
        }
    }
}

static void open_page(struct buffer *buffer, const char *title)
{
    buffer_add_text(buffer, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>");
    add_html(buffer, title);
    buffer_add_text(buffer,
                    " - sagad</title><style>body{font:16px/1.5 system-ui,sans-serif;"
                    "max-width:42em;margin:3em auto;padding:0 1em}dt{font-weight:600}"
                    "</style>\n<h1>");
    add_html(buffer, title);
    buffer_add_text(buffer, "</h1>\n");
}

void problem_write_html(struct buffer *buffer, enum problem problem)
{
    const struct problem_row *const row = problem_row(problem);
    open_page(buffer, row->title);
    buffer_add_format(buffer, "<p><code>/problems/%s</code>, status %u, %s</p>\n<h2>Cause</h2><p>",
                      row->slug, row->status,
                      row->retryable ? "trying again may help" : "trying again does not help");
    add_html(buffer, row->cause);
    buffer_add_text(buffer, "</p>\n<h2>Fix</h2><p>");
    add_html(buffer, row->fix);
    buffer_add_text(buffer, "</p>\n<p><a href=\"/problems\">all problems</a></p></html>\n");
}

void problem_list_json(struct buffer *buffer)
{
    buffer_add_text(buffer, "{\"items\":[");
    for (enum problem problem = PROBLEM_NONE + 1; problem < PROBLEM_COUNT; problem++) {
        if (problem > PROBLEM_NONE + 1) buffer_add_char(buffer, ',');
        problem_write_json(buffer, problem);
    }
    buffer_add_text(buffer, "]}");
}

void problem_list_html(struct buffer *buffer)
{
    open_page(buffer, "Problems");
    buffer_add_text(buffer, "<dl>\n");
    for (enum problem problem = PROBLEM_NONE + 1; problem < PROBLEM_COUNT; problem++) {
        const struct problem_row *const row = problem_row(problem);
        buffer_add_format(buffer, "<dt><a href=\"/problems/%s\">%u %s</a><dd>", row->slug,
                          row->status, row->slug);
        add_html(buffer, row->title);
        buffer_add_char(buffer, '\n');
    }
    buffer_add_text(buffer, "</dl></html>\n");
}
