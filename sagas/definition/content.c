#include "sagas/definition/content.h"

#include <assert.h>
#include <stdlib.h>

/* A list or object that is being written. */
struct level {
    const struct json_view **child;
    size_t count;
    size_t written;
    char close;
};

static int by_key(const void *left, const void *right)
{
    const struct json_view *const *a = left;
    const struct json_view *const *b = right;
    return bytes_compare((*a)->key, (*b)->key);
}

static struct level level_of(const struct json_view *view, struct arena *arena)
{
    const struct level level = {
        .child = arena_array(arena, view->count + 1, sizeof(*level.child)),
        .count = view->count,
        .close = view->type == VIEW_OBJECT ? '}' : ']',
    };
    size_t i = 0;
    for (const struct json_view *child = view->child; child != NULL; child = child->next) {
        level.child[i++] = child;
    }
    assert(i == level.count);
    if (view->type == VIEW_OBJECT) qsort(level.child, i, sizeof(*level.child), by_key);
    return level;
}

static void write_scalar(struct buffer *buffer, const struct json_view *view)
{
    if (view->type == VIEW_STRING) {
        json_write_string(buffer, view->string);
    } else {
        buffer_add_bytes(buffer, view->text);
    }
}

static bool is_container(const struct json_view *view)
{
    return view->type == VIEW_OBJECT || view->type == VIEW_ARRAY;
}

struct bytes definition_content(const struct json_view *root, struct arena *arena)
{
    assert(root->type == VIEW_OBJECT);
    struct buffer buffer = buffer_in(arena);
    struct level levels[JSON_DEPTH_MAX + 1];
    size_t depth = 1;
    levels[0] = level_of(root, arena);
    buffer_add_char(&buffer, '{');
    bool first = true; /* of its level */
    while (depth > 0) {
        struct level *level = &levels[depth - 1];
        if (level->written == level->count) {
            buffer_add_char(&buffer, level->close);
            depth--;
            first = false;
            continue;
        }
        const struct json_view *child = level->child[level->written++];
        if (depth == 1 && bytes_equal_text(child->key, "version")) continue;
        if (!first) buffer_add_char(&buffer, ',');
        first = false;
        if (level->close == '}') {
            json_write_string(&buffer, child->key);
            buffer_add_char(&buffer, ':');
        }
        if (is_container(child)) {
            assert(depth <= JSON_DEPTH_MAX);
            levels[depth++] = level_of(child, arena);
            buffer_add_char(&buffer, child->type == VIEW_OBJECT ? '{' : '[');
            first = true;
        } else {
            write_scalar(&buffer, child);
        }
    }
    return buffer_bytes(&buffer);
}
