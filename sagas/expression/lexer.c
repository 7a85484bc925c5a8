#include "sagas/expression/lexer.h"

#include "sagas/expression/complaint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Longer ones before their prefixes. */
static const struct {
    const char *text;
    enum token_kind kind;
} PUNCTUATION[] = {
    {"??", TOKEN_DEFAULT      },
    {"||", TOKEN_OR           },
    {"&&", TOKEN_AND          },
    {"==", TOKEN_EQUAL        },
    {"!=", TOKEN_UNEQUAL      },
    {"<=", TOKEN_LESS_EQUAL   },
    {">=", TOKEN_GREATER_EQUAL},
    {"(",  TOKEN_OPEN         },
    {")",  TOKEN_CLOSE        },
    {"[",  TOKEN_OPEN_LIST    },
    {"]",  TOKEN_CLOSE_LIST   },
    {",",  TOKEN_COMMA        },
    {".",  TOKEN_POINT        },
    {"?",  TOKEN_QUESTION     },
    {":",  TOKEN_COLON        },
    {"!",  TOKEN_NOT          },
    {"<",  TOKEN_LESS         },
    {">",  TOKEN_GREATER      },
    {"+",  TOKEN_PLUS         },
    {"-",  TOKEN_MINUS        },
    {"*",  TOKEN_TIMES        },
    {"/",  TOKEN_DIVIDE       },
    {"%",  TOKEN_MODULO       },
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void skip_space(struct lexer *lexer)
{
    while (lexer->at < lexer->end &&
           (*lexer->at == ' ' || *lexer->at == '\t' || *lexer->at == '\n' || *lexer->at == '\r')) {
        lexer->at++;
    }
}

/* The token is what lies between `start` and here. */
static bool finish(struct lexer *lexer, enum token_kind kind, const char *start)
{
    lexer->token.kind = kind;
    lexer->token.text = (struct bytes){start, (size_t)(lexer->at - start)};
    return true;
}

static bool read_name(struct lexer *lexer, bool hyphens)
{
    const char *const start = lexer->at;
    while (lexer->at < lexer->end &&
           (is_name_start(*lexer->at) || is_digit(*lexer->at) || (hyphens && *lexer->at == '-'))) {
        lexer->at++;
    }
    return finish(lexer, TOKEN_NAME, start);
}

/* ---- numbers ---- */

static bool skip_digits(struct lexer *lexer)
{
    const char *const start = lexer->at;
    while (lexer->at < lexer->end && is_digit(*lexer->at)) {
        lexer->at++;
    }
    return lexer->at > start;
}

/* A point and digits, an exponent: true when there is one of them. */
static bool skip_fraction(struct lexer *lexer)
{
    const char *const start = lexer->at;
    if (lexer->end - lexer->at >= 2 && lexer->at[0] == '.' && is_digit(lexer->at[1])) {
        lexer->at++;
        (void)skip_digits(lexer);
    }
    if (lexer->at < lexer->end && (*lexer->at == 'e' || *lexer->at == 'E')) {
        const char *const exponent = lexer->at++;
        if (lexer->at < lexer->end && (*lexer->at == '+' || *lexer->at == '-')) lexer->at++;
        if (!skip_digits(lexer)) lexer->at = exponent;
    }
    return lexer->at > start;
}

static bool finish_double(struct lexer *lexer, const char *start)
{
    finish(lexer, TOKEN_DOUBLE, start);
    const char *const copy = arena_copy(lexer->arena, start, lexer->token.text.size);
    lexer->token.number = strtod(copy, NULL);
    if (isfinite(lexer->token.number)) return true;
    return complain(lexer->error, "the number `%.*s` is beyond the range of a double",
                    SHOWN(lexer->token.text));
}

static bool finish_int(struct lexer *lexer, const char *start)
{
    static const uint64_t MAGNITUDE_MAX = (uint64_t)INT64_MAX + 1;

    finish(lexer, TOKEN_INT, start);
    uint64_t magnitude = 0;
    bool fits = true;
    for (const char *at = start; at < lexer->at && fits; at++) {
        fits = magnitude <= MAGNITUDE_MAX / 10;
        magnitude = magnitude * 10 + (uint64_t)(*at - '0');
    }
    lexer->token.magnitude = magnitude;
    if (fits && magnitude <= MAGNITUDE_MAX) return true;
    return complain(lexer->error, "the integer `%.*s` does not fit into 64 bits",
                    SHOWN(lexer->token.text));
}

static bool read_number(struct lexer *lexer)
{
    const char *const start = lexer->at;
    (void)skip_digits(lexer);
    if (*start == '0' && lexer->at - start > 1) {
        return complain(lexer->error, "a number does not begin with 0: `%.*s`",
                        SHOWN(((struct bytes){start, (size_t)(lexer->at - start)})));
    }
    return skip_fraction(lexer) ? finish_double(lexer, start) : finish_int(lexer, start);
}

/* ---- strings ---- */

static bool read_hex4(const char *at, const char *end, uint32_t *ret_unit)
{
    char digits[5] = {0};
    if (end - at < 4) return false;
    memcpy(digits, at, 4);
    if (strspn(digits, "0123456789abcdefABCDEF") != 4) return false;
    *ret_unit = (uint32_t)strtoul(digits, NULL, 16);
    return true;
}

/* `XXXX` behind `\u`, and the second half of a pair. */
static bool read_unicode(struct lexer *lexer, struct buffer *string)
{
    uint32_t code_point = 0;
    uint32_t low = 0;
    if (!read_hex4(lexer->at, lexer->end, &code_point)) {
        return complain(lexer->error, "`\\u` needs four hexadecimal digits");
    }
    lexer->at += 4;
    if (code_point >= 0xd800 && code_point <= 0xdbff && lexer->end - lexer->at >= 6 &&
        lexer->at[0] == '\\' && lexer->at[1] == 'u' && read_hex4(lexer->at + 2, lexer->end, &low) &&
        low >= 0xdc00 && low <= 0xdfff) {
        code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
        lexer->at += 6;
    }
    if (code_point >= 0xd800 && code_point <= 0xdfff) {
        return complain(lexer->error, "`\\u%04x` is half of a pair", code_point);
    }
    char character[UTF8_SIZE_MAX];
    buffer_add(string, character, utf8_encode(code_point, character));
    return true;
}

static bool read_escape(struct lexer *lexer, struct buffer *string)
{
    static const char NAMES[] = "\"'\\/bfnrt";
    static const char MEANINGS[] = "\"'\\/\b\f\n\r\t";

    const char name = *lexer->at++;
    if (name == 'u') return read_unicode(lexer, string);
    const char *const found = name == '\0' ? NULL : strchr(NAMES, name);
    if (found == NULL) {
        return complain(lexer->error, "`\\%c` is no escape: use \\n \\t \\\" \\' \\\\ or \\uXXXX",
                        name);
    }
    buffer_add_char(string, MEANINGS[found - NAMES]);
    return true;
}

static bool finish_string(struct lexer *lexer, const char *start, const struct buffer *string)
{
    finish(lexer, TOKEN_STRING, start);
    lexer->token.string = buffer_bytes(string);
    if (utf8_valid(lexer->token.string)) return true;
    return complain(lexer->error, "a string is not UTF-8");
}

static bool read_string(struct lexer *lexer)
{
    const char *const start = lexer->at++;
    struct buffer string = buffer_in(lexer->arena);
    while (lexer->at < lexer->end && *lexer->at != *start) {
        if (*lexer->at != '\\') {
            buffer_add_char(&string, *lexer->at++);
            continue;
        }
        lexer->at++;
        if (lexer->at < lexer->end && !read_escape(lexer, &string)) return false;
    }
    if (lexer->at == lexer->end) {
        return complain(lexer->error, "a string is not closed: `%.*s`",
                        SHOWN(((struct bytes){start, (size_t)(lexer->end - start)})));
    }
    lexer->at++;
    return finish_string(lexer, start, &string);
}

/* ---- tokens ---- */

static bool read_punctuation(struct lexer *lexer)
{
    const char *const start = lexer->at;
    for (size_t i = 0; i < sizeof(PUNCTUATION) / sizeof(PUNCTUATION[0]); i++) {
        const size_t size = strlen(PUNCTUATION[i].text);
        if ((size_t)(lexer->end - start) < size || memcmp(start, PUNCTUATION[i].text, size) != 0) {
            continue;
        }
        lexer->at += size;
        return finish(lexer, PUNCTUATION[i].kind, start);
    }
    if (*start == '=') return complain(lexer->error, "`=` is unknown: compare with `==`");
    const size_t size = utf8_size(start, lexer->end);
    return complain(lexer->error, "`%.*s` has no meaning in an expression",
                    size == 0 ? 1 : (int)size, start);
}

bool lexer_next(struct lexer *lexer)
{
    skip_space(lexer);
    if (lexer->at == lexer->end) return finish(lexer, TOKEN_END, lexer->at);
    const char c = *lexer->at;
    if (is_name_start(c)) return read_name(lexer, false);
    if (is_digit(c)) return read_number(lexer);
    if (c == '"' || c == '\'') return read_string(lexer);
    return read_punctuation(lexer);
}

bool lexer_next_step_id(struct lexer *lexer)
{
    skip_space(lexer);
    if (lexer->at < lexer->end && is_name_start(*lexer->at)) return read_name(lexer, true);
    return lexer_next(lexer);
}
