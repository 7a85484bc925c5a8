#include "sagas/definition/problems.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAIL_SIZE = 512 };

struct problem {
    const struct json_view *at; /* NULL: the whole text */
    struct bytes below;
    struct bytes detail;
    size_t sequence;
};

static void list_grow(struct problem_list *list, struct arena *arena)
{
    const size_t capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
    struct problem *item = arena_array(arena, capacity, sizeof(*item));
    if (list->count > 0) memcpy(item, list->item, list->count * sizeof(*item));
    list->item = item;
    list->capacity = capacity;
}

static void list_add(struct problem_list *list, struct arena *arena, struct problem problem)
{
    const size_t bytes = list->bytes + problem.below.size + problem.detail.size;
    if (list->count == PROBLEMS_MAX || (list->count > 0 && bytes > PROBLEMS_BYTES_MAX)) {
        list->left_out++;
        return;
    }
    if (list->count == list->capacity) list_grow(list, arena);
    problem.below = bytes_copy(arena, problem.below);
    problem.detail = bytes_copy(arena, problem.detail);
    problem.sequence = list->count;
    list->bytes = bytes;
    list->item[list->count++] = problem;
}

__attribute__((format(printf, 4, 0))) static void list_add_format(struct problem_list *list,
                                                                  struct arena *arena,
                                                                  const struct json_view *at,
                                                                  const char *format, va_list args)
{
    char detail[DETAIL_SIZE];
    (void)vsnprintf(detail, sizeof(detail), format, args);
    list_add(list, arena, (struct problem){.at = at, .detail = bytes_of(detail)});
}

void problems_error(struct problems *problems, const struct json_view *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    list_add_format(&problems->errors, problems->arena, at, format, args);
    va_end(args);
}

void problems_warning(struct problems *problems, const struct json_view *at, const char *format,
                      ...)
{
    va_list args;
    va_start(args, format);
    list_add_format(&problems->warnings, problems->arena, at, format, args);
    va_end(args);
}

void problems_error_below(struct problems *problems, const struct json_view *at, struct bytes below,
                          const char *detail)
{
    list_add(&problems->errors, problems->arena,
             (struct problem){.at = at, .below = below, .detail = bytes_of(detail)});
}

bool problems_guess(const struct problems *problems)
{
    return problems->errors.count < NAMES_GUESSED_MAX;
}

/* ---- in the order of the text, with pointers ---- */

/* No two values of a text begin at the same byte; one that holds another begins before it. */
static int by_place(const void *left, const void *right)
{
    const struct problem *a = left;
    const struct problem *b = right;
    if (a->at != b->at) {
        if (a->at == NULL || b->at == NULL) return a->at == NULL ? -1 : 1;
        return a->at->text.data < b->at->text.data ? -1 : 1;
    }
    return a->sequence < b->sequence ? -1 : 1;
}

struct level {
    const struct json_view *view;
    size_t index;                  /* of the view in the list that holds it */
    const struct json_view *child; /* looked at last; NULL: none yet */
    size_t child_index;
};

/* Where the walk stands: the root, a child of it, a child of that ... */
struct walk {
    struct level level[JSON_DEPTH_MAX + 2];
    size_t depth;
};

static bool holds(const struct json_view *outer, const struct json_view *inner)
{
    return inner->text.data >= outer->text.data &&
           inner->text.data + inner->text.size <= outer->text.data + outer->text.size;
}

static void walk_into(struct walk *walk, const struct json_view *view, size_t index)
{
    assert(walk->depth < JSON_DEPTH_MAX + 2);
    walk->level[walk->depth++] = (struct level){.view = view, .index = index};
}

/* Into the child that holds `view`. No child is looked at twice but the one looked at last. */
static void walk_on(struct walk *walk, const struct json_view *view)
{
    struct level *level = &walk->level[walk->depth - 1];
    if (level->child == NULL) level->child = level->view->child;
    while (level->child != NULL && !holds(level->child, view)) {
        level->child = level->child->next;
        level->child_index++;
    }
    assert(level->child != NULL);
    walk_into(walk, level->child, level->child_index);
}

static void walk_to(struct walk *walk, const struct json_view *view)
{
    assert(walk->depth > 0);
    while (!holds(walk->level[walk->depth - 1].view, view)) {
        walk->depth--;
    }
    while (walk->level[walk->depth - 1].view != view) {
        walk_on(walk, view);
    }
}

static void pointer_write(struct buffer *pointer, const struct walk *walk)
{
    for (size_t i = 1; i < walk->depth; i++) {
        const struct level *level = &walk->level[i];
        if (level->view->key.data != NULL) {
            json_pointer_add(pointer, level->view->key);
        } else {
            buffer_add_format(pointer, "/%zu", level->index);
        }
    }
}

static struct bytes problem_pointer(const struct problem *problem, struct walk *walk,
                                    struct arena *arena)
{
    struct buffer pointer = buffer_in(arena);
    buffer_add_text(&pointer, "");
    if (problem->at != NULL) {
        walk_to(walk, problem->at);
        pointer_write(&pointer, walk);
    }
    buffer_add_bytes(&pointer, problem->below);
    const struct bytes written = buffer_bytes(&pointer);
    return written.data == NULL ? BYTES("") : written;
}

static const struct definition_problem *list_report(struct problem_list *list, struct arena *arena,
                                                    const struct json_view *root, size_t *ret_count)
{
    const size_t count = list->count + (list->left_out > 0 ? 1 : 0);
    struct definition_problem *told = arena_array(arena, count + 1, sizeof(*told));
    struct walk walk = {.depth = 0};
    if (root != NULL) walk_into(&walk, root, 0);
    if (list->count > 0) qsort(list->item, list->count, sizeof(*list->item), by_place);
    for (size_t i = 0; i < list->count; i++) {
        told[i].pointer = problem_pointer(&list->item[i], &walk, arena);
        told[i].detail = list->item[i].detail;
    }
    if (list->left_out > 0) {
        struct buffer detail = buffer_in(arena);
        buffer_add_format(&detail, "%zu more like these are not shown; mend these first",
                          list->left_out);
        told[list->count].pointer = BYTES("");
        told[list->count].detail = buffer_bytes(&detail);
    }
    *ret_count = count;
    return told;
}

void problems_report(struct problems *problems, const struct json_view *root,
                     struct definition_report *ret_report)
{
    ret_report->errors =
        list_report(&problems->errors, problems->arena, root, &ret_report->error_count);
    ret_report->warnings =
        list_report(&problems->warnings, problems->arena, root, &ret_report->warning_count);
}

/* ---- words ---- */

/* The longest beginning of at most `size` bytes that does not split a character. */
static size_t cut(struct bytes text, size_t size)
{
    if (text.size <= size) return text.size;
    while (size > 0 && ((unsigned char)text.data[size] & 0xC0U) == 0x80U) {
        size--;
    }
    return size;
}

struct shown shown_text(struct bytes text)
{
    struct shown shown = {{0}};
    const size_t size = cut(text, sizeof(shown.text) - sizeof("..."));
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)text.data[i];
        const bool printable = byte >= 0x20 && byte != 0x7F;
        shown.text[i] = text.data[i];
        if (!printable) shown.text[i] = '?';
    }
    if (size < text.size) memcpy(shown.text + size, "...", sizeof("..."));
    return shown;
}

struct shown shown_duration(uint64_t ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } UNITS[] = {
        {"d",  86400000},
        {"h",  3600000 },
        {"m",  60000   },
        {"s",  1000    },
        {"ms", 1       }
    };

    struct shown shown = {{0}};
    size_t used = 0;
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(*UNITS); i++) {
        const uint64_t whole = ms / UNITS[i].ms;
        ms %= UNITS[i].ms;
        if (whole == 0) continue;
        const int size = snprintf(shown.text + used, sizeof(shown.text) - used, "%" PRIu64 "%s",
                                  whole, UNITS[i].name);
        assert(size > 0 && used + (size_t)size < sizeof(shown.text));
        used += (size_t)size;
    }
    if (used == 0) memcpy(shown.text, "0ms", sizeof("0ms"));
    return shown;
}

const char *shown_type(const struct json_view *view)
{
    switch (view->type) {
    case VIEW_NULL: return "null";
    case VIEW_FALSE: return "false";
    case VIEW_TRUE: return "true";
    case VIEW_NUMBER: return "a number";
    case VIEW_STRING: return "a string";
    case VIEW_ARRAY: return "a list";
    case VIEW_OBJECT: return "an object";
    }
    assert(false);
    return "";
}
