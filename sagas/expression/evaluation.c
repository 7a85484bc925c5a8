#include "sagas/expression/evaluation.h"

#include "sagas/expression/complaint.h"

#include <assert.h>

/* JSON that was read in this evaluation. */
struct source {
    struct bytes json;
    const struct json_view *view;
    struct source *older;
};

void evaluation_init(struct evaluation *evaluation, const struct expression_values *values,
                     struct arena *arena, struct expression_error *error)
{
    evaluation->values = values;
    evaluation->arena = arena;
    evaluation->error = error;
    evaluation->units = (int64_t)EXPRESSION_OPERATIONS_MAX * UNITS_PER_OPERATION;
    evaluation->memory = MEMORY_MAX;
    evaluation->source_bytes = SOURCES_MAX;
    evaluation->sources = NULL;
    evaluation->started_at = (struct bytes){0};
}

bool evaluation_fail(struct evaluation *evaluation, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain_list(evaluation->error, format, arguments);
    va_end(arguments);
    return false;
}

bool evaluation_spend(struct evaluation *evaluation, size_t units)
{
    evaluation->units -= (int64_t)units;
    if (evaluation->units >= 0) return true;
    return evaluation_fail(evaluation, "more than %d operations: do less in one expression",
                           EXPRESSION_OPERATIONS_MAX);
}

bool evaluation_spend_bytes(struct evaluation *evaluation, size_t bytes)
{
    return evaluation_spend(evaluation, bytes / BYTES_PER_UNIT);
}

static bool spend_memory(struct evaluation *evaluation, size_t size)
{
    if (size > EXPRESSION_RESULT_MAX) {
        return evaluation_fail(evaluation, "a value is larger than %d KiB",
                               EXPRESSION_RESULT_MAX / 1024);
    }
    if (size > evaluation->memory) {
        return evaluation_fail(evaluation, "needs more than %d KiB of memory for what it computes",
                               MEMORY_MAX / 1024);
    }
    evaluation->memory -= size;
    return true;
}

void *evaluation_alloc(struct evaluation *evaluation, size_t size)
{
    return spend_memory(evaluation, size) ? arena_alloc(evaluation->arena, size) : NULL;
}

/* ---- reading JSON ---- */

static struct bytes trim(struct bytes json)
{
    while (json.size > 0 && (unsigned char)json.data[0] <= ' ') {
        json.data++;
        json.size--;
    }
    while (json.size > 0 && (unsigned char)json.data[json.size - 1] <= ' ') {
        json.size--;
    }
    return json;
}

/* The view of JSON that is read once in an evaluation however often it is named. */
static bool read_source(struct evaluation *evaluation, struct bytes json,
                        const struct json_view **ret_view)
{
    for (const struct source *source = evaluation->sources; source != NULL;
         source = source->older) {
        if (source->json.data == json.data && source->json.size == json.size) {
            *ret_view = source->view;
            return true;
        }
    }
    if (json.size > evaluation->source_bytes) {
        return evaluation_fail(evaluation, "looks into more than %d MiB of JSON",
                               SOURCES_MAX / 1024 / 1024);
    }
    evaluation->source_bytes -= json.size;
    struct json_error error;
    if (!json_view_parse(json, evaluation->arena, ret_view, &error)) {
        return evaluation_fail(evaluation, "a value is not JSON: %s", error.what);
    }
    struct source *const source = arena_alloc(evaluation->arena, sizeof(*source));
    *source = (struct source){json, *ret_view, evaluation->sources};
    evaluation->sources = source;
    return true;
}

bool evaluation_read(struct evaluation *evaluation, struct bytes json, struct value *ret_value)
{
    *ret_value = value_null();
    if (json.data == NULL) return true;
    const struct bytes text = trim(json);
    if (text.size > 0 && (text.data[0] == '{' || text.data[0] == '[')) {
        ret_value->kind = text.data[0] == '{' ? VALUE_OBJECT : VALUE_LIST;
        ret_value->text = text;
        ret_value->view = NULL;
        return true;
    }
    const struct json_view *view = NULL;
    if (!read_source(evaluation, text, &view)) return false;
    *ret_value = value_of_view(view);
    return true;
}

bool evaluation_view(struct evaluation *evaluation, const struct value *container,
                     const struct json_view **ret_view)
{
    assert(container->text.data != NULL);
    *ret_view = container->view;
    return container->view != NULL || read_source(evaluation, container->text, ret_view);
}

bool evaluation_double(struct evaluation *evaluation, const struct value *number,
                       double *ret_double)
{
    *ret_double = value_double(number);
    return evaluation_spend(evaluation, number->text.size / DIGITS_PER_UNIT);
}

bool items_open(struct evaluation *evaluation, const struct value *list, struct items *ret_items)
{
    assert(list->kind == VALUE_LIST);
    *ret_items = (struct items){0};
    if (list->text.data == NULL) {
        ret_items->left = list->list.count;
        ret_items->computed = list->list.items;
        return true;
    }
    const struct json_view *view = NULL;
    if (!evaluation_view(evaluation, list, &view)) return false;
    ret_items->left = view->count;
    ret_items->view = view->child;
    return true;
}

bool items_next(struct items *items, struct value *ret_item)
{
    if (items->left == 0) return false;
    items->left--;
    if (items->computed != NULL) {
        *ret_item = *items->computed++;
        return true;
    }
    *ret_item = value_of_view(items->view);
    items->view = items->view->next;
    return true;
}

/* ---- printing ---- */

static bool fits(struct evaluation *evaluation, const struct buffer *buffer, size_t more)
{
    if (buffer->size + more <= EXPRESSION_RESULT_MAX) return true;
    return evaluation_fail(evaluation, "the result is larger than %d KiB",
                           EXPRESSION_RESULT_MAX / 1024);
}

static void write_scalar(struct buffer *buffer, const struct value *value)
{
    if (value->kind == VALUE_BOOLEAN) {
        buffer_add_text(buffer, value->boolean ? "true" : "false");
    } else if (value->kind == VALUE_INT) {
        json_write_int(buffer, value->integer);
    } else if (value->kind == VALUE_DOUBLE) {
        json_write_double(buffer, value->number);
    } else if (value->kind == VALUE_STRING) {
        json_write_string(buffer, value->string);
    } else {
        buffer_add_text(buffer, "null");
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): lists are nested no deeper than the expression */
bool value_write_json(struct evaluation *evaluation, struct buffer *buffer,
                      const struct value *value)
{
    if (value->text.data != NULL) {
        if (!fits(evaluation, buffer, value->text.size)) return false;
        buffer_add_bytes(buffer, value->text);
        return true;
    }
    if (value->kind != VALUE_LIST) {
        write_scalar(buffer, value);
        return fits(evaluation, buffer, 0);
    }
    buffer_add_char(buffer, '[');
    for (size_t i = 0; i < value->list.count; i++) {
        if (i > 0) buffer_add_char(buffer, ',');
        if (!value_write_json(evaluation, buffer, &value->list.items[i])) return false;
    }
    buffer_add_char(buffer, ']');
    return fits(evaluation, buffer, 0);
}

bool value_result(struct evaluation *evaluation, const struct value *value, struct bytes *ret_json)
{
    if (value->text.data != NULL && value->text.size <= EXPRESSION_RESULT_MAX) {
        *ret_json = value->text;
        return true;
    }
    struct buffer json = buffer_in(evaluation->arena);
    if (!value_write_json(evaluation, &json, value)) return false;
    *ret_json = buffer_bytes(&json);
    return value->kind != VALUE_LIST || evaluation_check_depth(evaluation, *ret_json);
}

static bool container_text(struct evaluation *evaluation, const struct value *value,
                           struct bytes *ret_text)
{
    struct bytes json = value->text;
    if (json.data == NULL) {
        struct buffer printed = buffer_in(evaluation->arena);
        if (!value_write_json(evaluation, &printed, value)) return false;
        json = buffer_bytes(&printed);
    }
    if (!spend_memory(evaluation, json.size)) return false;
    struct buffer compact = buffer_in(evaluation->arena);
    json_write_compact_text(&compact, json);
    *ret_text = buffer_bytes(&compact);
    return true;
}

bool value_text(struct evaluation *evaluation, const struct value *value, struct bytes *ret_text)
{
    if (value->kind == VALUE_LIST || value->kind == VALUE_OBJECT) {
        return container_text(evaluation, value, ret_text);
    }
    if (value->kind == VALUE_NULL) {
        *ret_text = BYTES("");
        return true;
    }
    *ret_text = value->kind == VALUE_STRING ? value->string : value->text;
    if (ret_text->data != NULL) return true;
    struct buffer text = buffer_in(evaluation->arena);
    write_scalar(&text, value);
    *ret_text = buffer_bytes(&text);
    return spend_memory(evaluation, text.size);
}

bool evaluation_check_depth(struct evaluation *evaluation, struct bytes json)
{
    const char *const end = json.data + json.size;
    size_t depth = 0;
    for (const char *at = json.data; at < end;) {
        const char c = *at++;
        if (c == '"') at = json_string_end(at, end);
        if (c == ']' || c == '}') depth--;
        if ((c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX) {
            return evaluation_fail(evaluation, "the result is nested deeper than %d levels",
                                   JSON_DEPTH_MAX);
        }
    }
    return true;
}
