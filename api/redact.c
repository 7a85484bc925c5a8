#include "api/redact.h"

#include "sagas/base/json_view.h"

#include <stdlib.h>
#include <string.h>

static bool starts_with(struct bytes text, struct bytes prefix)
{
    return text.size >= prefix.size && memcmp(text.data, prefix.data, prefix.size) == 0;
}

/* What follows `root` in a pointer; absent when the pointer is about something else. */
static struct bytes below(struct bytes pointer, struct bytes root)
{
    if (!starts_with(pointer, root)) return (struct bytes){0};
    const struct bytes rest = {pointer.data + root.size, pointer.size - root.size};
    return rest.size == 0 || rest.data[0] == '/' ? rest : (struct bytes){0};
}

/* The first token of a pointer, unescaped; *rest moves behind it. */
static struct bytes next_token(struct arena *arena, struct bytes *rest)
{
    const char *const begin = rest->data + 1;
    const char *const end = memchr(begin, '/', rest->size - 1);
    const size_t size = end == NULL ? rest->size - 1 : (size_t)(end - begin);
    char *const token = arena_alloc(arena, size + 1);
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        char c = begin[i];
        if (c == '~' && i + 1 < size && begin[++i] == '1') c = '/';
        token[written++] = c;
    }
    *rest = (struct bytes){begin + size, rest->size - 1 - size};
    return (struct bytes){token, written};
}

static const struct json_view *child_of(const struct json_view *view, struct bytes token)
{
    char text[12] = {0};
    if (view->type == VIEW_OBJECT) return json_view_member_bytes(view, token);
    if (view->type != VIEW_ARRAY || token.size == 0 || token.size >= sizeof(text)) return NULL;
    memcpy(text, token.data, token.size);
    if (strspn(text, "0123456789") != token.size) return NULL;
    return json_view_item(view, strtoul(text, NULL, 10));
}

static const struct json_view *find(struct arena *arena, const struct json_view *view,
                                    struct bytes pointer)
{
    while (view != NULL && pointer.size > 0) {
        view = child_of(view, next_token(arena, &pointer));
    }
    return view;
}

static int compare_views(const void *a, const void *b)
{
    const char *const left = (*(const struct json_view *const *)a)->text.data;
    const char *const right = (*(const struct json_view *const *)b)->text.data;
    return (left > right) - (left < right);
}

struct masked {
    struct arena *arena;
    const struct json_view *payload;
    const struct json_view **views; /* to be masked */
    size_t count;
};

static void mask(struct masked *masked, struct bytes pointer)
{
    const struct json_view *const view = find(masked->arena, masked->payload, pointer);
    if (view != NULL) masked->views[masked->count++] = view;
}

/* A pointer below the output of a foreach, for the item at `index`. */
static void mask_item(struct masked *masked, struct bytes pointer, int32_t index)
{
    struct bytes rest = pointer;
    mask(masked, pointer);
    if (pointer.size == 0) return;
    const struct bytes token = next_token(masked->arena, &rest);
    struct buffer wanted = buffer_in(masked->arena);
    buffer_add_format(&wanted, "%d", index);
    if (bytes_equal(token, buffer_bytes(&wanted))) mask(masked, rest);
}

static void write_masked(struct buffer *buffer, struct masked *masked, struct bytes payload)
{
    const char *at = payload.data;
    qsort(masked->views, masked->count, sizeof(struct json_view *), compare_views);
    for (size_t i = 0; i < masked->count; i++) {
        const struct bytes text = masked->views[i]->text;
        if (text.data < at) continue; /* inside one that is masked already */
        buffer_add(buffer, at, (size_t)(text.data - at));
        buffer_add_text(buffer, REDACTED);
        at = text.data + text.size;
    }
    buffer_add(buffer, at, (size_t)(payload.data + payload.size - at));
}

static void write(struct buffer *buffer, const struct definition *definition, struct bytes root,
                  int32_t index, struct bytes payload)
{
    struct json_error error;
    struct arena scratch = {0};
    struct masked masked = {.arena = &scratch};
    bool is_parsed = false;
    for (size_t i = 0; i < definition->redact_count; i++) {
        const struct bytes pointer = below(definition->redact[i], root);
        if (pointer.data == NULL) continue;
        if (!is_parsed && !json_view_parse(payload, &scratch, &masked.payload, &error)) break;
        if (!is_parsed) {
            masked.views =
                arena_array(&scratch, 2 * definition->redact_count, sizeof(const void *));
        }
        is_parsed = true;
        if (index < 0) {
            mask(&masked, pointer);
        } else {
            mask_item(&masked, pointer, index);
        }
    }
    if (masked.count == 0) {
        buffer_add_bytes(buffer, payload);
    } else {
        write_masked(buffer, &masked, payload);
    }
    arena_done(&scratch);
}

void redact_write(struct buffer *buffer, const struct definition *definition, struct bytes root,
                  struct bytes payload)
{
    redact_write_item(buffer, definition, root, -1, payload);
}

void redact_write_item(struct buffer *buffer, const struct definition *definition,
                       struct bytes root, int32_t index, struct bytes payload)
{
    if (payload.data == NULL) {
        buffer_add_text(buffer, "null");
    } else if (definition->redact_count == 0) {
        buffer_add_bytes(buffer, payload);
    } else {
        write(buffer, definition, root, index, payload);
    }
}
