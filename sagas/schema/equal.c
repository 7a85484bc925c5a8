#include "sagas/schema/equal.h"

#include "sagas/schema/number.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_PER_OPERATION = 16 };

bool budget_take(struct budget *budget, size_t operations)
{
    if (budget->left < operations) budget->spent = true;
    budget->left = budget->spent ? 0 : budget->left - operations;
    return !budget->spent;
}

static bool numbers_equal(const struct json_view *a, const struct json_view *b, struct arena *arena)
{
    if (bytes_equal(a->text, b->text)) return true;
    const struct number left = number_of(a, arena);
    const struct number right = number_of(b, arena);
    return number_compare(&left, &right) == 0;
}

static bool lists_equal(const struct json_view *a, const struct json_view *b, struct arena *arena,
                        struct budget *budget);
static bool objects_equal(const struct json_view *a, const struct json_view *b, struct arena *arena,
                          struct budget *budget);

/* NOLINTNEXTLINE(misc-no-recursion): at most JSON_DEPTH_MAX deep */
bool values_equal(const struct json_view *a, const struct json_view *b, struct arena *arena,
                  struct budget *budget)
{
    const size_t size = a->text.size < b->text.size ? a->text.size : b->text.size;
    if (a->type != b->type || a->count != b->count) return false;
    if (!budget_take(budget, 1 + size / BYTES_PER_OPERATION)) return false;
    switch (a->type) {
    case VIEW_NULL:
    case VIEW_FALSE:
    case VIEW_TRUE: return true;
    case VIEW_NUMBER: return numbers_equal(a, b, arena);
    case VIEW_STRING: return bytes_equal(a->string, b->string);
    case VIEW_ARRAY: return lists_equal(a, b, arena, budget);
    case VIEW_OBJECT: return objects_equal(a, b, arena, budget);
    }
    abort();
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static bool lists_equal(const struct json_view *a, const struct json_view *b, struct arena *arena,
                        struct budget *budget)
{
    const struct json_view *other = b->child;
    for (const struct json_view *item = a->child; item != NULL; item = item->next) {
        if (!values_equal(item, other, arena, budget)) return false;
        other = other->next;
    }
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static bool objects_equal(const struct json_view *a, const struct json_view *b, struct arena *arena,
                          struct budget *budget)
{
    for (const struct json_view *member = a->child; member != NULL; member = member->next) {
        if (!budget_take(budget, 1 + b->count / BYTES_PER_OPERATION)) return false;
        const struct json_view *const other = json_view_member_bytes(b, member->key);
        if (other == NULL || !values_equal(member, other, arena, budget)) return false;
    }
    return true;
}

/* ---- the same value gives the same hash ---- */

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *const byte = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ byte[i]) * UINT64_C(1099511628211);
    }
    return hash ^ hash >> 29;
}

static uint64_t hash_number(uint64_t seed, const struct json_view *view, struct arena *arena)
{
    const struct number number = number_of(view, arena);
    const double value = number.value == 0 ? 0 : number.value; /* -0 */
    return mix(seed, &value, sizeof(value));
}

/* NOLINTNEXTLINE(misc-no-recursion): at most JSON_DEPTH_MAX deep */
static uint64_t hash_value(const struct json_view *view, struct arena *arena)
{
    const uint64_t seed = UINT64_C(14695981039346656037) + view->type;
    uint64_t hash = seed;
    switch (view->type) {
    case VIEW_NULL:
    case VIEW_FALSE:
    case VIEW_TRUE: return seed * 31;
    case VIEW_NUMBER: return hash_number(seed, view, arena);
    case VIEW_STRING: return mix(seed, view->string.data, view->string.size);
    case VIEW_ARRAY:
        for (const struct json_view *item = view->child; item != NULL; item = item->next) {
            const uint64_t inner = hash_value(item, arena);
            hash = mix(hash, &inner, sizeof(inner));
        }
        return hash;
    case VIEW_OBJECT: /* in any order */
        for (const struct json_view *member = view->child; member != NULL; member = member->next) {
            const uint64_t inner = hash_value(member, arena);
            hash += mix(inner, member->key.data, member->key.size);
        }
        return hash;
    }
    abort();
}

struct hashed {
    uint64_t hash;
    const struct json_view *view;
    size_t index;
};

static int by_hash(const void *left, const void *right)
{
    const struct hashed *const a = left;
    const struct hashed *const b = right;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

bool items_are_unique(const struct json_view *list, struct arena *arena, struct budget *budget,
                      size_t *ret_index)
{
    const size_t count = list->count;
    if (count < 2) return true;
    if (!budget_take(budget, count + list->text.size / BYTES_PER_OPERATION)) return true;
    struct hashed *const items = arena_array(arena, count, sizeof(*items));
    size_t filled = 0;
    for (const struct json_view *item = list->child; item != NULL; item = item->next) {
        items[filled] = (struct hashed){hash_value(item, arena), item, filled};
        filled++;
    }
    qsort(items, count, sizeof(*items), by_hash);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count && items[k].hash == items[i].hash; k++) {
            *ret_index = items[k].index;
            if (values_equal(items[i].view, items[k].view, arena, budget)) return false;
            if (budget->spent) return true;
        }
    }
    return true;
}
