#include "api/text.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

enum { KEY_SIZE_MAX = 255, REQUEST_ID_SIZE_MAX = 64, TRACEPARENT_SIZE = 55 };

bool text_number(struct bytes text, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.size == 0 || text.size > 19) return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (number > max) return false;
    *ret_number = number;
    return true;
}

bool text_seconds(struct bytes text, uint32_t *ret_ms)
{
    const char *const point = memchr(text.data, '.', text.size);
    const struct bytes whole = {text.data, point == NULL ? text.size : (size_t)(point - text.data)};
    uint64_t seconds = 0;
    uint64_t fraction = 0;
    if (!text_number(whole, 1000000, &seconds)) return false;
    if (point != NULL) {
        const struct bytes digits = {point + 1, text.size - whole.size - 1};
        if (digits.size > 3 || !text_number(digits, 999, &fraction)) return false;
        for (size_t i = digits.size; i < 3; i++) {
            fraction *= 10;
        }
    }
    *ret_ms = (uint32_t)(seconds * 1000 + fraction);
    return true;
}

bool text_etag(struct bytes text, enum etag_strength strength, uint32_t *ret_revision)
{
    if (strength == ETAG_WEAK_TOO && text.size > 2 && memcmp(text.data, "W/", 2) == 0) {
        text = (struct bytes){text.data + 2, text.size - 2};
    }
    if (text.size < 3 || text.data[0] != '"' || text.data[text.size - 1] != '"') return false;
    uint64_t revision = 0;
    if (!text_number((struct bytes){text.data + 1, text.size - 2}, UINT32_MAX, &revision)) {
        return false;
    }
    *ret_revision = (uint32_t)revision;
    return true;
}

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = (struct bytes){text.data + 1, text.size - 1};
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/* The next item of a list, trimmed; false at its end. */
static bool next_item(struct bytes *rest, char separator, struct bytes *ret_item)
{
    if (rest->data == NULL) return false;
    const char *const found = rest->size == 0 ? NULL : memchr(rest->data, separator, rest->size);
    const size_t size = found == NULL ? rest->size : (size_t)(found - rest->data);
    *ret_item = trim((struct bytes){rest->data, size});
    *rest = found == NULL ? (struct bytes){0} : (struct bytes){found + 1, rest->size - size - 1};
    return true;
}

bool text_etags_hold(struct bytes list, uint32_t revision)
{
    for (struct bytes item; next_item(&list, ',', &item);) {
        uint32_t found = 0;
        if (bytes_equal_text(item, "*")) return true;
        if (text_etag(item, ETAG_WEAK_TOO, &found) && found == revision) return true;
    }
    return false;
}

static bool starts_with(struct bytes text, const char *prefix)
{
    const size_t size = strlen(prefix);
    return text.size >= size && strncasecmp(text.data, prefix, size) == 0;
}

bool text_prefer_wait(struct bytes prefer, uint32_t *ret_ms)
{
    for (struct bytes item; next_item(&prefer, ',', &item);) {
        const size_t name = sizeof("wait=") - 1;
        if (!starts_with(item, "wait=")) continue;
        if (text_seconds((struct bytes){item.data + name, item.size - name}, ret_ms)) return true;
    }
    return false;
}

bool text_is_media_type(struct bytes type, const char *wanted)
{
    struct bytes first = {0};
    return next_item(&type, ';', &first) && first.size == strlen(wanted) &&
           starts_with(first, wanted);
}

/* `q=0`, `q=0.0`, ...: expressly not wanted. */
static bool is_refused(struct bytes parameters)
{
    for (struct bytes item; next_item(&parameters, ';', &item);) {
        if (!starts_with(item, "q=0")) continue;
        const struct bytes zeros = {item.data + 3, item.size - 3};
        bool only_zeros = true;
        for (size_t i = 0; i < zeros.size; i++) {
            only_zeros = only_zeros && (zeros.data[i] == '0' || zeros.data[i] == '.');
        }
        if (only_zeros) return true;
    }
    return false;
}

static bool range_admits(struct bytes range, const char *type)
{
    const size_t main_size = (size_t)(strchr(type, '/') - type) + 1;
    if (bytes_equal_text(range, "*/*")) return true;
    if (range.size == main_size + 1 && range.data[main_size] == '*') {
        return strncasecmp(range.data, type, main_size) == 0;
    }
    return range.size == strlen(type) && starts_with(range, type);
}

bool text_accepts(struct bytes accept, const char *type)
{
    if (accept.data == NULL || trim(accept).size == 0) return true;
    for (struct bytes item; next_item(&accept, ',', &item);) {
        struct bytes range = {0};
        if (!next_item(&item, ';', &range)) continue;
        if (range_admits(range, type) && !is_refused(item)) return true;
    }
    return false;
}

bool text_is_key(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f) return false;
    }
    return text.size > 0 && text.size <= KEY_SIZE_MAX;
}

bool text_is_request_id(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') return false;
    }
    return text.size > 0 && text.size <= REQUEST_ID_SIZE_MAX;
}

bool text_is_traceparent(struct bytes text)
{
    static const char FORM[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
    static_assert(sizeof(FORM) - 1 == TRACEPARENT_SIZE, "the form has the size of a traceparent");
    if (text.size != TRACEPARENT_SIZE || memcmp(text.data, "ff", 2) == 0) return false;
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (FORM[i] == 'h' ? !hex : c != '-') return false;
    }
    return strspn(text.data + 3, "0") < 32 && strspn(text.data + 36, "0") < 16;
}

static struct bytes encode(struct arena *arena, const void *data, size_t size, int variant)
{
    const size_t room = sodium_base64_encoded_len(size, variant);
    char *const text = arena_alloc(arena, room);
    sodium_bin2base64(text, room, data, size, variant);
    return bytes_of(text);
}

struct bytes text_base64url(struct arena *arena, const void *data, size_t size)
{
    return encode(arena, data, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

struct bytes text_base64(struct arena *arena, const void *data, size_t size)
{
    return encode(arena, data, size, sodium_base64_VARIANT_ORIGINAL);
}

bool text_base64url_read(struct bytes text, struct arena *arena, struct bytes *ret_data)
{
    size_t size = 0;
    unsigned char *const data = arena_alloc(arena, text.size + 1);
    if (sodium_base642bin(data, text.size, text.data, text.size, NULL, &size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0) {
        return false;
    }
    *ret_data = (struct bytes){(const char *)data, size};
    return true;
}

struct bytes text_hex(struct arena *arena, const void *data, size_t size)
{
    char *const text = arena_alloc(arena, 2 * size + 1);
    sodium_bin2hex(text, 2 * size + 1, data, size);
    return (struct bytes){text, 2 * size};
}
