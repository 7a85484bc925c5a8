/*
 * sagas/schema/compile.c
 *   Schemas to nodes.
 */
#include "sagas/schema/compile.h"

#include <stdio.h>
#include <string.h>

enum { DETAIL_SIZE = 400 };

/* ---- telling ---- */

__attribute__((format(printf, 4, 0))) static void say(struct compilation *compilation,
                                                      enum schema_level level,
                                                      const struct json_view *at,
                                                      const char *format, va_list arguments)
{
    char detail[DETAIL_SIZE];
    (void)vsnprintf(detail, sizeof(detail), format, arguments);
    compilation->given->say(compilation->given->context, level, at, detail);
}

bool schema_error(struct compilation *compilation, const struct json_view *at, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(compilation, SCHEMA_ERROR, at, format, arguments);
    va_end(arguments);
    compilation->errors++;
    return false;
}

void schema_warning(struct compilation *compilation, const struct json_view *at, const char *format,
                    ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(compilation, SCHEMA_WARNING, at, format, arguments);
    va_end(arguments);
}

/* ---- memory ---- */

static size_t used(const struct compilation *compilation)
{
    return compilation->given->arena->used_bytes - compilation->used_before;
}

bool has_room(struct compilation *compilation, const struct json_view *at, size_t size)
{
    const size_t room = *compilation->given->room;
    if (compilation->is_full) return false;
    if (used(compilation) <= room && size <= room - used(compilation)) return true;
    compilation->is_full = true;
    return schema_error(compilation, at,
                        "the schemas of a definition take at most %d MiB when compiled; leave "
                        "some out, or make their patterns and lists of values smaller",
                        SCHEMA_ROOM / 1024 / 1024);
}

void *keep(struct compilation *compilation, size_t count, size_t size)
{
    return arena_array(compilation->given->arena, count + 1, size);
}

/* ---- nodes ---- */

struct rule *add_rule(struct building *building, rule_check *check, unsigned applies)
{
    struct rule *const rule = keep(building->compilation, 0, sizeof(*rule));
    rule->check = check;
    rule->applies = applies;
    *building->end = rule;
    building->end = &rule->next;
    return rule;
}

static struct node *add_node(struct compilation *compilation, const struct json_view *view)
{
    struct node *const node = keep(compilation, 0, sizeof(*node));
    node->types = IS_ANY;
    if (compilation->origin_count == compilation->origin_room) {
        const size_t room = compilation->origin_room == 0 ? 16 : 2 * compilation->origin_room;
        struct origin *const bigger =
            arena_array(compilation->given->scratch, room, sizeof(*bigger));
        if (compilation->origin_count > 0) {
            memcpy(bigger, compilation->origins, compilation->origin_count * sizeof(*bigger));
        }
        compilation->origins = bigger;
        compilation->origin_room = room;
    }
    compilation->origins[compilation->origin_count++] = (struct origin){view, node};
    return node;
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than the text, JSON_DEPTH_MAX */
const struct node *compile_node(struct compilation *compilation, const struct json_view *view)
{
    enum { NODE_SIZE = 256 };
    if (view->type != VIEW_OBJECT && view->type != VIEW_TRUE && view->type != VIEW_FALSE) {
        (void)schema_error(compilation, view, "must be a schema: an object, true or false");
        return NULL;
    }
    if (!has_room(compilation, view, NODE_SIZE)) return NULL;
    struct node *const node = add_node(compilation, view);
    node->never = view->type == VIEW_FALSE;
    struct building building = {
        .compilation = compilation,
        .schema = view,
        .node = node,
        .end = &node->rules,
    };
    if (view->type != VIEW_OBJECT) return node;
    for (const struct json_view *value = view->child; value != NULL; value = value->next) {
        read_keyword(&building, value);
    }
    return node;
}

const struct schema *schema_compile(const struct json_view *view,
                                    const struct schema_compiler *compiler)
{
    struct compilation compilation = {
        .given = compiler,
        .root = view,
        .used_before = compiler->arena->used_bytes,
    };
    struct schema *const schema = keep(&compilation, 0, sizeof(*schema));
    schema->root = compile_node(&compilation, view);
    if (compilation.errors == 0) resolve_links(&compilation);
    if (compilation.errors == 0) look_for_loops(&compilation);
    const size_t taken = used(&compilation);
    *compiler->room -= taken < *compiler->room ? taken : *compiler->room;
    return compilation.errors == 0 ? schema : NULL;
}
