#include "sagas/base/json_view.h"

#include "sagas/base/json_string.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Up to this many members are compared with each other, more are sorted. */
enum { FEW_MEMBERS = 8 };

/* An array or object that is still open. */
struct open_container {
    struct json_view *view;
    struct json_view *last; /* newest item or member */
};

struct reader {
    const char *start;
    const char *at;
    const char *end;
    struct arena *arena;
    const char *wrong; /* the first thing that is wrong */
    size_t depth;
    struct open_container open[JSON_DEPTH_MAX];
};

static bool fail(struct reader *reader, const char *what)
{
    reader->wrong = what;
    return false;
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t')) {
        reader->at++;
    }
}

/* ---- duplicate members ---- */

struct member_name {
    uint64_t hash;
    const struct json_view *member;
};

static uint64_t hash_of(struct bytes name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ (unsigned char)name.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* The hash only saves comparing bytes: whoever makes hashes collide does not make this slow. */
static int compare_names(const void *a, const void *b)
{
    const struct member_name *const left = a;
    const struct member_name *const right = b;
    if (left->hash != right->hash) return left->hash < right->hash ? -1 : 1;
    return bytes_compare(left->member->key, right->member->key);
}

static const struct json_view *duplicate_of_many(const struct json_view *object,
                                                 struct arena *arena)
{
    struct member_name *const names = arena_array(arena, object->count, sizeof(*names));
    size_t count = 0;
    for (const struct json_view *member = object->child; member != NULL; member = member->next) {
        names[count++] = (struct member_name){hash_of(member->key), member};
    }
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 1; i < count; i++) {
        if (compare_names(&names[i - 1], &names[i]) == 0) return names[i].member;
    }
    return NULL;
}

static const struct json_view *duplicate_of_few(const struct json_view *object)
{
    for (const struct json_view *member = object->child; member != NULL; member = member->next) {
        for (const struct json_view *other = object->child; other != member; other = other->next) {
            if (bytes_equal(member->key, other->key)) return member;
        }
    }
    return NULL;
}

static bool names_differ(struct reader *reader, const struct json_view *object)
{
    const struct json_view *const duplicate = object->count <= FEW_MEMBERS
                                                  ? duplicate_of_few(object)
                                                  : duplicate_of_many(object, reader->arena);
    if (duplicate == NULL) return true;
    reader->at = duplicate->text.data;
    return fail(reader, "a member occurs twice in an object");
}

/* ---- scalars ---- */

static bool read_digits(struct reader *reader)
{
    const char *const start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        reader->at++;
    }
    return reader->at > start;
}

static bool take(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c) return false;
    reader->at++;
    return true;
}

static bool read_number(struct reader *reader)
{
    static const char NO_NUMBER[] = "a number is malformed";

    (void)take(reader, '-');
    if (!take(reader, '0') && !read_digits(reader)) return fail(reader, NO_NUMBER);
    if (take(reader, '.') && !read_digits(reader)) return fail(reader, NO_NUMBER);
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '+')) (void)take(reader, '-');
        if (!read_digits(reader)) return fail(reader, NO_NUMBER);
    }
    return true;
}

static bool read_word(struct reader *reader, const char *word)
{
    const size_t size = strlen(word);
    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0) {
        return fail(reader, "a value is expected");
    }
    reader->at += size;
    return true;
}

static bool read_string(struct reader *reader, struct bytes *ret_string)
{
    reader->wrong = json_string_read(&reader->at, reader->end, reader->arena, ret_string);
    return reader->wrong == NULL;
}

static bool read_scalar(struct reader *reader, struct json_view *view)
{
    switch (*reader->at) {
    case '"': view->type = VIEW_STRING; return read_string(reader, &view->string);
    case 't': view->type = VIEW_TRUE; return read_word(reader, "true");
    case 'f': view->type = VIEW_FALSE; return read_word(reader, "false");
    case 'n': view->type = VIEW_NULL; return read_word(reader, "null");
    case '-':
    case '0' ... '9': view->type = VIEW_NUMBER; return read_number(reader);
    default: return fail(reader, "a value is expected");
    }
}

/* ---- containers ---- */

static bool open_container(struct reader *reader, struct json_view *view)
{
    if (reader->depth == JSON_DEPTH_MAX) return fail(reader, "nested deeper than 128 levels");
    view->type = *reader->at == '{' ? VIEW_OBJECT : VIEW_ARRAY;
    reader->open[reader->depth++] = (struct open_container){.view = view};
    reader->at++;
    skip_space(reader);
    return true;
}

static bool close_container(struct reader *reader)
{
    struct json_view *const view = reader->open[reader->depth - 1].view;
    reader->depth--;
    view->text.size = (size_t)(reader->at - view->text.data);
    return view->type == VIEW_ARRAY || names_differ(reader, view);
}

static char closing(const struct json_view *container)
{
    return container->type == VIEW_OBJECT ? '}' : ']';
}

static bool read_name(struct reader *reader, struct bytes *ret_name)
{
    if (reader->at == reader->end || *reader->at != '"') {
        return fail(reader, "a member's name in double quotes is expected");
    }
    if (!read_string(reader, ret_name)) return false;
    skip_space(reader);
    if (!take(reader, ':')) return fail(reader, "`:` is expected");
    skip_space(reader);
    return true;
}

/* Link a new value to the innermost open container, if any. */
static bool begin_value(struct reader *reader, struct json_view **ret_view)
{
    struct bytes name = {0};
    struct open_container *const parent =
        reader->depth == 0 ? NULL : &reader->open[reader->depth - 1];
    if (parent != NULL && parent->view->type == VIEW_OBJECT && !read_name(reader, &name)) {
        return false;
    }
    if (reader->at == reader->end) return fail(reader, "the text ends too early");

    struct json_view *const view = arena_alloc(reader->arena, sizeof(*view));
    view->key = name;
    view->text.data = reader->at;
    if (parent != NULL) {
        if (parent->last == NULL) {
            parent->view->child = view;
        } else {
            parent->last->next = view;
        }
        parent->last = view;
        parent->view->count++;
    }
    *ret_view = view;
    return true;
}

/* After a value: close what ends here, stop behind the comma that announces the next value. */
static bool end_value(struct reader *reader)
{
    while (reader->depth > 0) {
        skip_space(reader);
        if (take(reader, ',')) {
            skip_space(reader);
            return true;
        }
        const struct json_view *const container = reader->open[reader->depth - 1].view;
        if (!take(reader, closing(container))) {
            return fail(reader, container->type == VIEW_OBJECT ? "`,` or `}` is expected"
                                                               : "`,` or `]` is expected");
        }
        if (!close_container(reader)) return false;
    }
    return true;
}

static bool read_value(struct reader *reader, struct json_view **ret_view)
{
    struct json_view *view = NULL;
    if (!begin_value(reader, &view)) return false;
    *ret_view = view;
    if (*reader->at == '{' || *reader->at == '[') {
        if (!open_container(reader, view)) return false;
        if (!take(reader, closing(view))) return true;
        return close_container(reader) && end_value(reader);
    }
    if (!read_scalar(reader, view)) return false;
    view->text.size = (size_t)(reader->at - view->text.data);
    return end_value(reader);
}

static bool read_all(struct reader *reader, const struct json_view **ret_view)
{
    skip_space(reader);
    struct json_view *root = NULL;
    if (!read_value(reader, &root)) return false;
    while (reader->depth > 0) {
        struct json_view *ignored = NULL;
        if (!read_value(reader, &ignored)) return false;
    }
    skip_space(reader);
    if (reader->at != reader->end) return fail(reader, "text follows the value");
    *ret_view = root;
    return true;
}

bool json_view_parse(struct bytes text, struct arena *arena, const struct json_view **ret_view,
                     struct json_error *ret_error)
{
    struct reader reader;
    reader.start = text.data == NULL ? "" : text.data;
    reader.at = reader.start;
    reader.end = reader.start + text.size;
    reader.arena = arena;
    reader.wrong = NULL;
    reader.depth = 0;
    if (read_all(&reader, ret_view)) return true;
    *ret_error = (struct json_error){(size_t)(reader.at - reader.start), reader.wrong};
    return false;
}

/* ---- access ---- */

const struct json_view *json_view_member_bytes(const struct json_view *view, struct bytes name)
{
    if (view == NULL || view->type != VIEW_OBJECT) return NULL;
    const struct json_view *member = view->child;
    while (member != NULL && !bytes_equal(member->key, name)) {
        member = member->next;
    }
    return member;
}

const struct json_view *json_view_member(const struct json_view *view, const char *name)
{
    return json_view_member_bytes(view, bytes_of(name));
}

const struct json_view *json_view_item(const struct json_view *view, size_t index)
{
    if (view == NULL || view->type != VIEW_ARRAY || index >= view->count) return NULL;
    const struct json_view *item = view->child;
    for (size_t i = 0; i < index; i++) {
        item = item->next;
    }
    return item;
}

bool json_view_int64(const struct json_view *view, int64_t *ret_value)
{
    if (view == NULL || view->type != VIEW_NUMBER) return false;
    const bool negative = view->text.data[0] == '-';
    int64_t value = 0;
    for (size_t i = negative; i < view->text.size; i++) {
        const char c = view->text.data[i];
        if (c < '0' || c > '9') return false;
        const int digit = negative ? '0' - c : c - '0';
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, digit, &value)) return false;
    }
    *ret_value = value;
    return true;
}
