#include "sagas/base/utf8.h"

#include <assert.h>

static bool is_tail(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The second byte decides on overlong forms, surrogates and the upper end. */
static bool second_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf;
    case 0xed: return second >= 0x80 && second <= 0x9f;
    case 0xf0: return second >= 0x90 && second <= 0xbf;
    case 0xf4: return second >= 0x80 && second <= 0x8f;
    default: return is_tail(second);
    }
}

static size_t size_by_first(unsigned char first)
{
    if (first < 0x80) return 1;
    if (first < 0xc2) return 0;
    if (first < 0xe0) return 2;
    if (first < 0xf0) return 3;
    return first < 0xf5 ? 4 : 0;
}

size_t utf8_size(const char *at, const char *end)
{
    assert(at < end);
    const unsigned char *const byte = (const unsigned char *)at;
    const size_t size = size_by_first(byte[0]);
    if (size < 2) return size;
    if ((size_t)(end - at) < size || !second_fits(byte[0], byte[1])) return 0;
    for (size_t i = 2; i < size; i++) {
        if (!is_tail(byte[i])) return 0;
    }
    return size;
}

bool utf8_valid(struct bytes text)
{
    for (size_t at = 0; at < text.size;) {
        const size_t size = utf8_size(text.data + at, text.data + text.size);
        if (size == 0) return false;
        at += size;
    }
    return true;
}

size_t utf8_count(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++) {
        count += !is_tail((unsigned char)text.data[i]);
    }
    return count;
}

size_t utf8_encode(uint32_t code_point, char ret_text[UTF8_SIZE_MAX])
{
    static const unsigned char FIRST[] = {0, 0, 0xc0, 0xe0, 0xf0};

    assert(code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff));
    if (code_point < 0x80) {
        ret_text[0] = (char)code_point;
        return 1;
    }
    const size_t size = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        ret_text[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    ret_text[0] = (char)(FIRST[size] | code_point);
    return size;
}

struct bytes utf8_prefix(struct bytes text, size_t size_max)
{
    if (text.size <= size_max) return text;
    size_t size = size_max;
    while (size > 0 && is_tail((unsigned char)text.data[size])) {
        size--;
    }
    return (struct bytes){text.data, size};
}
