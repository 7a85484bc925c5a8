#include "sagas/base/json_string.h"

#include "sagas/base/json_view.h"
#include "sagas/base/utf8.h"

#include <stdint.h>
#include <string.h>

static const char UNTERMINATED[] = "a string is not closed";

/* True when none of 8 bytes is a quote, a backslash, a control character or beyond ASCII. */
static bool is_word_plain(const char *at)
{
    static const uint64_t ONES = UINT64_C(0x0101010101010101);
    static const uint64_t HIGHS = UINT64_C(0x8080808080808080);

    uint64_t word = 0;
    memcpy(&word, at, sizeof(word));
    const uint64_t quote = word ^ (ONES * '"');
    const uint64_t backslash = word ^ (ONES * '\\');
    const uint64_t found = (quote - ONES) | (backslash - ONES) | (word - ONES * 0x20) | word;
    return (found & HIGHS) == 0;
}

/* As wide as the registers of every x86-64 and arm64; what is true of a lane sets all its bits. */
typedef int8_t lanes __attribute__((vector_size(16)));

static lanes find_not_plain(const char *at)
{
    lanes text;
    memcpy(&text, at, sizeof(text));
    return (lanes)(text < 0x20) | (lanes)(text == '"') | (lanes)(text == '\\'); /* signed */
}

/* The same of 64 bytes. */
static bool is_block_plain(const char *at)
{
    const lanes found = find_not_plain(at) | find_not_plain(at + 16) | find_not_plain(at + 32) |
                        find_not_plain(at + 48);
    uint64_t half[2];
    memcpy(half, &found, sizeof(half));
    return (half[0] | half[1]) == 0;
}

/* Most strings end within some words; in the few long ones are most of the bytes. */
static const char *skip_plain(const char *at, const char *end)
{
    const char *const start = at;
    while (end - at >= 8 && is_word_plain(at)) {
        at += 8;
        while (at - start >= 32 && end - at >= 64 && is_block_plain(at)) {
            at += 64;
        }
    }
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20 &&
           (unsigned char)*at < 0x80) {
        at++;
    }
    return at;
}

static bool read_hex4(const char *at, const char *end, uint32_t *ret_unit)
{
    if (end - at < 4) return false;
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        const char c = at[i];
        if (c >= '0' && c <= '9') {
            unit = unit * 16 + (uint32_t)(c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            unit = unit * 16 + (uint32_t)((c | 0x20) - 'a' + 10);
        } else {
            return false;
        }
    }
    *ret_unit = unit;
    return true;
}

/* `\uXXXX`, two of them for what lies beyond the basic plane. *at is behind the `u`. */
static const char *read_unicode(const char **at, const char *end, uint32_t *ret_code_point)
{
    static const char LONE[] = "a surrogate stands alone";

    uint32_t high = 0;
    uint32_t low = 0;
    if (!read_hex4(*at, end, &high)) return "\\u needs four hexadecimal digits";
    if (high >= 0xdc00 && high <= 0xdfff) return LONE;
    *at += 4;
    *ret_code_point = high;
    if (high < 0xd800 || high > 0xdfff) return NULL;

    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return LONE;
    if (!read_hex4(*at + 2, end, &low) || low < 0xdc00 || low > 0xdfff) return LONE;
    *at += 6;
    *ret_code_point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return NULL;
}

/* What an escape stands for; *at is behind the backslash. */
static const char *read_escape(const char **at, const char *end, uint32_t *ret_code_point)
{
    static const char NAMES[] = "\"\\/bfnrt";
    static const char MEANINGS[] = "\"\\/\b\f\n\r\t";

    if (*at == end) return UNTERMINATED;
    if (**at == 'u') {
        (*at)++;
        return read_unicode(at, end, ret_code_point);
    }
    const char *const found = **at == '\0' ? NULL : strchr(NAMES, **at);
    if (found == NULL) return "an escape is unknown";
    *ret_code_point = (uint32_t)MEANINGS[found - NAMES];
    (*at)++;
    return NULL;
}

/* Check up to the closing quote, or up to the first escape. */
static const char *scan(const char **at, const char *end)
{
    for (;;) {
        *at = skip_plain(*at, end);
        if (*at == end) return UNTERMINATED;
        const unsigned char c = (unsigned char)**at;
        if (c == '"' || c == '\\') return NULL;
        if (c < 0x20) return "a string holds a control character";
        const size_t size = utf8_size(*at, end);
        if (size == 0) return "a string is not UTF-8";
        *at += size;
    }
}

/* The rest of a string that has escapes; *at is at the first one. */
static const char *decode(const char **at, const char *end, struct buffer *buffer)
{
    while (**at == '\\') {
        (*at)++;
        uint32_t code_point = 0;
        const char *wrong = read_escape(at, end, &code_point);
        if (wrong != NULL) return wrong;
        char character[UTF8_SIZE_MAX];
        buffer_add(buffer, character, utf8_encode(code_point, character));

        const char *const start = *at;
        wrong = scan(at, end);
        if (wrong != NULL) return wrong;
        buffer_add(buffer, start, (size_t)(*at - start));
    }
    return NULL;
}

const char *json_string_end(const char *at, const char *end)
{
    const char *const start = at;
    while (at < end) {
        const char *const quote = memchr(at, '"', (size_t)(end - at));
        if (quote == NULL) return end;
        const char *escape = quote;
        while (escape > start && escape[-1] == '\\') {
            escape--;
        }
        if ((quote - escape) % 2 == 0) return quote + 1;
        at = quote + 1;
    }
    return end;
}

const char *json_string_read(const char **at, const char *end, struct arena *arena,
                             struct bytes *ret_string)
{
    const char *const start = ++*at;
    const char *wrong = scan(at, end);
    if (wrong != NULL) return wrong;
    *ret_string = (struct bytes){start, (size_t)(*at - start)};
    if (**at == '\\') {
        struct buffer buffer = buffer_in(arena);
        buffer_add_bytes(&buffer, *ret_string);
        wrong = decode(at, end, &buffer);
        if (wrong != NULL) return wrong;
        *ret_string = buffer_bytes(&buffer);
    }
    (*at)++;
    return NULL;
}
