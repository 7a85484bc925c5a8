#include "sagas/expression/expression.h"

#include "sagas/expression/complaint.h"
#include "sagas/expression/node.h"

#include <string.h>

enum segment_kind {
    SEGMENT_JSON,  /* fixed JSON text */
    SEGMENT_VALUE, /* the JSON of a value */
    SEGMENT_PART,  /* the text of a value, inside a string */
};

struct segment {
    enum segment_kind kind;
    struct bytes json;
    const struct expression *expression;
    struct segment *next;
};

struct template
{
    struct segment *first;
    size_t fixed_size; /* of all fixed text */
};

struct compiler {
    const struct expression_names *names;
    struct arena *arena;
    expression_report *report;
    void *context;
    bool valid;
    const char *copied;    /* the source up to here is in the segments or in `pending` */
    struct buffer pending; /* fixed text that no segment holds yet */
    struct buffer pointer; /* to the value that is looked at */
    struct template *tmpl;
    struct segment **end;
};

static const char OPENING[] = "${";

static void complain_here(struct compiler *compiler, const char *detail)
{
    compiler->valid = false;
    compiler->report(compiler->context, buffer_bytes(&compiler->pointer), detail);
}

static struct segment *add_segment(struct compiler *compiler, enum segment_kind kind)
{
    struct segment *const segment = arena_alloc(compiler->arena, sizeof(*segment));
    segment->kind = kind;
    *compiler->end = segment;
    compiler->end = &segment->next;
    return segment;
}

static void flush(struct compiler *compiler)
{
    if (compiler->pending.size == 0) return;
    compiler->tmpl->fixed_size += compiler->pending.size;
    add_segment(compiler, SEGMENT_JSON)->json = buffer_bytes(&compiler->pending);
    compiler->pending = buffer_in(compiler->arena);
}

/* ---- strings ---- */

/* Size of the expression at `text`, up to the `}` that is in no string of it; false: not closed. */
static bool measure(struct bytes text, size_t *ret_size)
{
    char quote = '\0'; /* of the string that is open */
    size_t i = 0;
    while (i < text.size && (quote != '\0' || text.data[i] != '}')) {
        const char c = text.data[i];
        if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == quote) {
            quote = '\0';
        }
        i += quote != '\0' && c == '\\' ? 2 : 1;
    }
    *ret_size = i;
    return i < text.size;
}

static struct bytes drop(struct bytes text, size_t size)
{
    return (struct bytes){text.data + size, text.size - size};
}

static bool begins_with(struct bytes text, const char *prefix)
{
    const size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

static void compile_hole(struct compiler *compiler, struct bytes source, enum segment_kind kind)
{
    const struct expression *expression = NULL;
    struct expression_error error;
    if (!expression_compile(source, compiler->names, compiler->arena, &expression, &error)) {
        complain_here(compiler, error.detail);
        return;
    }
    flush(compiler);
    add_segment(compiler, kind)->expression = expression;
}

/* Fixed text up to the next `${`, in which `$${` stands for `${`. */
static size_t compile_fixed(struct compiler *compiler, struct bytes text)
{
    size_t plain = 0;
    size_t i = 0;
    while (i < text.size && !begins_with(drop(text, i), OPENING)) {
        if (!begins_with(drop(text, i), "$${")) {
            i++;
            continue;
        }
        json_write_string_part(&compiler->pending, (struct bytes){text.data + plain, i - plain});
        plain = i + 1;
        i += 3;
    }
    json_write_string_part(&compiler->pending, (struct bytes){text.data + plain, i - plain});
    return i;
}

static void compile_mixed(struct compiler *compiler, struct bytes text)
{
    buffer_add_char(&compiler->pending, '"');
    for (;;) {
        text = drop(text, compile_fixed(compiler, text));
        if (text.size == 0) break;
        text = drop(text, 2);
        size_t size = 0;
        if (!measure(text, &size)) {
            complain_here(
                compiler,
                "`${` is not closed by a `}` outside of strings; write `$${` for the text");
            break;
        }
        compile_hole(compiler, (struct bytes){text.data, size}, SEGMENT_PART);
        text = drop(text, size + 1);
    }
    buffer_add_char(&compiler->pending, '"');
}

static bool holds_opening(struct bytes text)
{
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] == '$' && text.data[i + 1] == '{') return true;
    }
    return false;
}

static void compile_string(struct compiler *compiler, const struct json_view *view)
{
    if (!holds_opening(view->string)) return;
    json_write_compact_text(
        &compiler->pending,
        (struct bytes){compiler->copied, (size_t)(view->text.data - compiler->copied)});
    compiler->copied = view->text.data + view->text.size;

    size_t size = 0;
    if (begins_with(view->string, OPENING) && measure(drop(view->string, 2), &size) &&
        size + 3 == view->string.size) {
        compile_hole(compiler, (struct bytes){view->string.data + 2, size}, SEGMENT_VALUE);
    } else {
        compile_mixed(compiler, view->string);
    }
}

/* ---- values ---- */

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than JSON_DEPTH_MAX */
static void compile_value(struct compiler *compiler, const struct json_view *view)
{
    if (view->type == VIEW_STRING) compile_string(compiler, view);
    const size_t pointer_size = compiler->pointer.size;
    size_t index = 0;
    for (const struct json_view *child = view->child; child != NULL; child = child->next) {
        if (view->type == VIEW_OBJECT) {
            json_pointer_add(&compiler->pointer, child->key);
        } else {
            buffer_add_format(&compiler->pointer, "/%zu", index++);
        }
        compile_value(compiler, child);
        buffer_cut(&compiler->pointer, pointer_size);
    }
}

bool template_compile(const struct json_view *view, const struct expression_names *names,
                      struct arena *arena, expression_report *report, void *context,
                      const struct template **ret_template)
{
    struct compiler compiler = {
        .names = names,
        .arena = arena,
        .report = report,
        .context = context,
        .valid = true,
        .copied = view->text.data,
        .pending = buffer_in(arena),
        .pointer = buffer_in(arena),
        .tmpl = arena_alloc(arena, sizeof(struct template)),
    };
    compiler.end = &compiler.tmpl->first;
    compile_value(&compiler, view);
    const char *const end = view->text.data + view->text.size;
    json_write_compact_text(&compiler.pending,
                            (struct bytes){compiler.copied, (size_t)(end - compiler.copied)});
    flush(&compiler);
    if (compiler.tmpl->fixed_size > EXPRESSION_RESULT_MAX) {
        complain_here(&compiler, "is larger than 256 KiB by itself");
    }
    *ret_template = compiler.tmpl;
    return compiler.valid;
}

/* ---- rendering ---- */

static bool render_segment(struct evaluation *evaluation, const struct segment *segment,
                           struct buffer *json)
{
    if (segment->kind == SEGMENT_JSON) {
        buffer_add_bytes(json, segment->json);
        return true;
    }
    struct value value;
    if (!node_evaluate(evaluation, segment->expression->root, &value)) return false;
    if (segment->kind == SEGMENT_VALUE) return value_write_json(evaluation, json, &value);
    struct bytes text = {0};
    if (!value_text(evaluation, &value, &text)) return false;
    json_write_string_part(json, text);
    return true;
}

bool template_render(const struct template *tmpl, const struct expression_values *values,
                     struct arena *arena, struct bytes *ret_json,
                     struct expression_error *ret_error)
{
    struct evaluation evaluation;
    evaluation_init(&evaluation, values, arena, ret_error);
    struct buffer json = buffer_in(arena);
    bool fixed = true;
    for (const struct segment *segment = tmpl->first; segment != NULL; segment = segment->next) {
        if (!render_segment(&evaluation, segment, &json)) return false;
        if (json.size > EXPRESSION_RESULT_MAX) {
            return complain(ret_error, "the result is larger than %d KiB",
                            EXPRESSION_RESULT_MAX / 1024);
        }
        fixed = fixed && segment->kind == SEGMENT_JSON;
    }
    if (!fixed && !evaluation_check_depth(&evaluation, buffer_bytes(&json))) return false;
    *ret_json = buffer_bytes(&json);
    return true;
}
