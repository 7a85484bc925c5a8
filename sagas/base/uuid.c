#include "sagas/base/uuid.h"

#include <string.h>

struct uuid uuid_v7(int64_t unix_ms, const uint8_t random[10])
{
    struct uuid id;
    for (int i = 0; i < 6; i++) {
        id.byte[i] = (uint8_t)((uint64_t)unix_ms >> (40 - 8 * i));
    }
    memcpy(id.byte + 6, random, 10);
    id.byte[6] = (uint8_t)(0x70 | (id.byte[6] & 0x0f));
    id.byte[8] = (uint8_t)(0x80 | (id.byte[8] & 0x3f));
    return id;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool is_hyphen_place(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

bool uuid_parse(struct bytes text, struct uuid *ret_id)
{
    if (text.data == NULL || text.size != UUID_TEXT_SIZE - 1) return false;
    struct uuid id;
    size_t count = 0;
    for (size_t at = 0; at < text.size;) {
        if (is_hyphen_place(at)) {
            if (text.data[at++] != '-') return false;
            continue;
        }
        const int high = hex_digit(text.data[at]);
        const int low = hex_digit(text.data[at + 1]);
        if (high < 0 || low < 0) return false;
        id.byte[count++] = (uint8_t)(high * 16 + low);
        at += 2;
    }
    *ret_id = id;
    return true;
}

void uuid_print(const struct uuid *id, char ret_text[UUID_TEXT_SIZE])
{
    static const char DIGITS[] = "0123456789abcdef";

    size_t at = 0;
    for (size_t i = 0; i < sizeof(id->byte); i++) {
        if (is_hyphen_place(at)) ret_text[at++] = '-';
        ret_text[at++] = DIGITS[id->byte[i] >> 4];
        ret_text[at++] = DIGITS[id->byte[i] & 0x0f];
    }
    ret_text[at] = '\0';
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}
