#include "sagas/definition/content.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    const struct json_view *view;
};

/* A list or object that is being written. */
struct level {
    struct entry *entry;
    size_t count;
    size_t next;
    size_t written;
    bool named;
};

struct writing {
    struct arena *arena;
    struct buffer buffer;
    struct level level[JSON_DEPTH_MAX];
    size_t depth;
};

static int by_key(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    return bytes_compare(a->view->key, b->view->key);
}

static void open_level(struct writing *writing, const struct json_view *view)
{
    assert(writing->depth < JSON_DEPTH_MAX);
    struct level *level = &writing->level[writing->depth++];
    *level = (struct level){.count = view->count, .named = view->type == VIEW_OBJECT};
    level->entry = arena_array(writing->arena, view->count + 1, sizeof(*level->entry));
    size_t filled = 0;
    for (const struct json_view *child = view->child; child != NULL; child = child->next) {
        level->entry[filled++].view = child;
    }
    assert(filled == level->count);
    if (level->named) qsort(level->entry, filled, sizeof(*level->entry), by_key);
    buffer_add_char(&writing->buffer, level->named ? '{' : '[');
}

static void close_level(struct writing *writing)
{
    const struct level *level = &writing->level[--writing->depth];
    buffer_add_char(&writing->buffer, level->named ? '}' : ']');
}

static void write_value(struct writing *writing, const struct json_view *view)
{
    if (view->type == VIEW_OBJECT || view->type == VIEW_ARRAY) {
        open_level(writing, view);
    } else if (view->type == VIEW_STRING) {
        json_write_string(&writing->buffer, view->string);
    } else {
        buffer_add_bytes(&writing->buffer, view->text);
    }
}

static void write_next(struct writing *writing, struct level *level)
{
    const struct json_view *child = level->entry[level->next++].view;
    if (writing->depth == 1 && bytes_equal_text(child->key, "version")) return;
    if (level->written++ > 0) buffer_add_char(&writing->buffer, ',');
    if (level->named) {
        json_write_string(&writing->buffer, child->key);
        buffer_add_char(&writing->buffer, ':');
    }
    write_value(writing, child);
}

struct bytes definition_content(const struct json_view *root, struct arena *arena)
{
    assert(root->type == VIEW_OBJECT);
    struct writing writing = {.arena = arena, .buffer = buffer_in(arena)};
    write_value(&writing, root);
    while (writing.depth > 0) {
        struct level *level = &writing.level[writing.depth - 1];
        if (level->next < level->count) {
            write_next(&writing, level);
        } else {
            close_level(&writing);
        }
    }
    return buffer_bytes(&writing.buffer);
}
