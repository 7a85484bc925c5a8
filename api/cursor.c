#include "api/cursor.h"

#include "api/text.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 500 };

static bool is_of_page(struct bytes name)
{
    return bytes_equal_text(name, "limit") || bytes_equal_text(name, "cursor");
}

static int compare_parameters(const void *a, const void *b)
{
    const struct parameter *const left = a;
    const struct parameter *const right = b;
    const int order = bytes_compare(left->name, right->name);
    return order != 0 ? order : bytes_compare(left->value, right->value);
}

static void hash_text(crypto_generichash_state *state, struct bytes text)
{
    (void)crypto_generichash_update(state, (const uint8_t *)&text.size, sizeof(text.size));
    (void)crypto_generichash_update(state, (const uint8_t *)text.data, text.size);
}

void cursor_hash_filter(const struct exchange *exchange, uint8_t ret_hash[FILTER_HASH_SIZE])
{
    struct parameter sorted[PARAMETERS_MAX];
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash_state state;
    const struct uri *const uri = &exchange->uri;
    const size_t count = uri->parameter_count;
    if (count > 0) memcpy(sorted, uri->parameters, count * sizeof(sorted[0]));
    qsort(sorted, count, sizeof(sorted[0]), compare_parameters);

    (void)crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    hash_text(&state, uri->path);
    for (size_t i = 0; i < count; i++) {
        const bool is_again = i > 0 && compare_parameters(&sorted[i], &sorted[i - 1]) == 0;
        if (is_again || is_of_page(sorted[i].name)) continue;
        hash_text(&state, sorted[i].name);
        hash_text(&state, sorted[i].value);
    }
    (void)crypto_generichash_final(&state, hash, sizeof(hash));
    memcpy(ret_hash, hash, FILTER_HASH_SIZE);
}

struct bytes cursor_make(struct exchange *exchange, const void *key, size_t size)
{
    char *const whole = arena_alloc(&exchange->arena, FILTER_HASH_SIZE + size);
    cursor_hash_filter(exchange, (uint8_t *)whole);
    memcpy(whole + FILTER_HASH_SIZE, key, size);
    return text_base64url(&exchange->arena, whole, FILTER_HASH_SIZE + size);
}

bool cursor_read(struct exchange *exchange, struct bytes *ret_key)
{
    uint8_t hash[FILTER_HASH_SIZE];
    struct bytes whole = {0};
    const struct bytes text = uri_parameter(&exchange->uri, "cursor");
    *ret_key = (struct bytes){0};
    if (text.data == NULL) return true;
    if (!text_base64url_read(text, &exchange->arena, &whole) || whole.size <= FILTER_HASH_SIZE) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
    }
    cursor_hash_filter(exchange, hash);
    if (memcmp(hash, whole.data, FILTER_HASH_SIZE) != 0) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR,
                      "the cursor was made with another filter");
    }
    *ret_key = (struct bytes){whole.data + FILTER_HASH_SIZE, whole.size - FILTER_HASH_SIZE};
    return true;
}

bool cursor_limit(struct exchange *exchange, size_t *ret_limit)
{
    uint64_t limit = LIMIT_DEFAULT;
    const struct bytes text = uri_parameter(&exchange->uri, "limit");
    if (text.data != NULL && (!text_number(text, LIMIT_MAX, &limit) || limit == 0)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY, "limit must be 1 to %d",
                      LIMIT_MAX);
    }
    *ret_limit = limit;
    return true;
}

void cursor_close_list(struct buffer *buffer, struct bytes cursor)
{
    buffer_add_text(buffer, "],\"next_cursor\":");
    if (cursor.data == NULL) {
        buffer_add_text(buffer, "null}");
    } else {
        buffer_add_format(buffer, "\"%.*s\"}", (int)cursor.size, cursor.data);
    }
}

bool cursor_before(struct exchange *exchange, int64_t *ret_before)
{
    uint64_t before = 0;
    struct bytes key;
    if (!cursor_read(exchange, &key)) return false;
    if (key.data != NULL && !text_number(key, INT64_MAX, &before)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
    }
    *ret_before = (int64_t)before;
    return true;
}
