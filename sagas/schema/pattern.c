#include "sagas/schema/pattern.h"

#include "sagas/schema/program.h"

#include <string.h>

enum {
    GROUPS_MAX = 32,    /* inside each other */
    REPEATS_MAX = 1000, /* of a counted repetition */
    CODE_POINT_MAX = 0x10ffff,
};

static const char TOO_LARGE[] =
    "it is too large: at most 2,000 parts once repetitions are written out";

struct parser {
    const char *at, *end;
    const char *why; /* set once: what is wrong */
    size_t depth;
    size_t size;
    size_t class_count;
    size_t range_count;
    struct instruction code[PROGRAM_SIZE_MAX];
    struct class classes[RANGES_MAX];
    struct range ranges[RANGES_MAX];
};

static bool fail(struct parser *parser, const char *why)
{
    if (parser->why == NULL) parser->why = why;
    return false;
}

static bool is_next(const struct parser *parser, char c)
{
    return parser->at < parser->end && *parser->at == c;
}

static bool take(struct parser *parser, char c)
{
    if (!is_next(parser, c)) return false;
    parser->at++;
    return true;
}

/* The text is valid UTF-8. */
static uint32_t take_code_point(struct parser *parser)
{
    static const unsigned char FIRST_BITS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const size_t size = utf8_size(parser->at, parser->end);
    uint32_t c = (unsigned char)*parser->at & FIRST_BITS[size];
    for (size_t i = 1; i < size; i++) {
        c = c << 6 | ((unsigned char)parser->at[i] & 0x3f);
    }
    parser->at += size;
    return c;
}

/* ---- code ---- */

static bool emit(struct parser *parser, struct instruction instruction)
{
    if (parser->size == PROGRAM_SIZE_MAX) return fail(parser, TOO_LARGE);
    parser->code[parser->size++] = instruction;
    return true;
}

/* What stands from `at` on moves up by one. */
static bool insert(struct parser *parser, size_t at, struct instruction instruction)
{
    if (!emit(parser, instruction)) return false;
    memmove(&parser->code[at + 1], &parser->code[at],
            (parser->size - 1 - at) * sizeof(parser->code[0]));
    parser->code[at] = instruction;
    return true;
}

/* The block from `start` of `size` once more. */
static bool repeat(struct parser *parser, size_t start, size_t size)
{
    if (size > PROGRAM_SIZE_MAX - parser->size) return fail(parser, TOO_LARGE);
    memcpy(&parser->code[parser->size], &parser->code[start], size * sizeof(parser->code[0]));
    parser->size += size;
    return true;
}

/* The block from `start` on of `size` may be missing. */
static bool make_optional_at(struct parser *parser, size_t start, size_t size)
{
    return insert(parser, start,
                  (struct instruction){.opcode = SPLIT, .left = 1, .right = (int16_t)(size + 1)});
}

static bool make_optional(struct parser *parser, size_t start)
{
    return make_optional_at(parser, start, parser->size - start);
}

static bool make_loop(struct parser *parser, size_t start)
{
    const int16_t size = (int16_t)(parser->size - start);
    return emit(parser, (struct instruction){.opcode = SPLIT, .left = (int16_t)-size, .right = 1});
}

/* ---- characters ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool take_hex(struct parser *parser, size_t digits, uint32_t *ret_value)
{
    uint32_t value = 0;
    if ((size_t)(parser->end - parser->at) < digits) return false;
    for (size_t i = 0; i < digits; i++) {
        const int digit = hex_digit(parser->at[i]);
        if (digit < 0) return false;
        value = value * 16 + (uint32_t)digit;
    }
    parser->at += digits;
    *ret_value = value;
    return true;
}

static bool take_braced_hex(struct parser *parser, uint32_t *ret_value)
{
    uint32_t value = 0;
    const char *const start = parser->at;
    for (uint32_t digit = 0; take_hex(parser, 1, &digit);) {
        value = value * 16 + digit;
        if (value > CODE_POINT_MAX) return false;
    }
    *ret_value = value;
    return parser->at > start && take(parser, '}');
}

static bool is_surrogate(uint32_t c, uint32_t first)
{
    return c >= first && c < first + 0x400;
}

/* Behind `\u`. */
static bool take_unicode(struct parser *parser, uint32_t *ret_c)
{
    static const char WHY[] = "`\\u` wants four hexadecimal digits, or some in braces";
    uint32_t low = 0;
    if (take(parser, '{')) return take_braced_hex(parser, ret_c) || fail(parser, WHY);
    if (!take_hex(parser, 4, ret_c)) return fail(parser, WHY);
    if (!is_surrogate(*ret_c, 0xd800)) {
        return !is_surrogate(*ret_c, 0xdc00) || fail(parser, "`\\u` names half a surrogate pair");
    }
    if (!take(parser, '\\') || !take(parser, 'u') || !take_hex(parser, 4, &low) ||
        !is_surrogate(low, 0xdc00)) {
        return fail(parser, "`\\u` names half a surrogate pair");
    }
    *ret_c = 0x10000 + ((*ret_c - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take_control(struct parser *parser, uint32_t *ret_c)
{
    if (parser->at == parser->end || !is_letter(*parser->at)) {
        return fail(parser, "`\\c` wants a letter");
    }
    *ret_c = (uint32_t)*parser->at++ & 0x1f;
    return true;
}

static bool take_nul(struct parser *parser, uint32_t *ret_c)
{
    if (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9') {
        return fail(parser, "`\\0` is followed by a digit; write `\\x` and two of them");
    }
    *ret_c = 0;
    return true;
}

/* Behind a backslash: what stands for one character. */
static bool take_escape(struct parser *parser, uint32_t *ret_c)
{
    static const char NAMES[] = "tnvfr";
    static const char MEANINGS[] = "\t\n\v\f\r";
    if (parser->at == parser->end) return fail(parser, "it ends with a backslash");
    *ret_c = take_code_point(parser);
    const char c = (char)(*ret_c < 0x80 ? *ret_c : '?');
    const char *const name = c == '\0' ? NULL : strchr(NAMES, c);
    if (name != NULL) *ret_c = (uint32_t)MEANINGS[name - NAMES];
    if (name != NULL) return true;
    switch (c) {
    case 'x':
        return take_hex(parser, 2, ret_c) || fail(parser, "`\\x` wants two hexadecimal digits");
    case 'u': return take_unicode(parser, ret_c);
    case 'c': return take_control(parser, ret_c);
    case '0': return take_nul(parser, ret_c);
    case 'p':
    case 'P':
        return fail(parser, "`\\p` is not understood here; list the ranges, such as [A-Za-z]");
    default: break;
    }
    if (c >= '1' && c <= '9') {
        return fail(parser, "it refers back to a group; that is not understood here");
    }
    return !is_letter(c) || fail(parser, "a letter after a backslash that means nothing");
}

/* ---- classes ---- */

static const struct range DIGITS[] = {
    {'0', '9'}
};
static const struct range WORD[] = {
    {'0', '9'},
    {'A', 'Z'},
    {'_', '_'},
    {'a', 'z'},
};
static const struct range SPACE[] = {
    {'\t',   '\r'  },
    {' ',    ' '   },
    {0xa0,   0xa0  },
    {0x1680, 0x1680},
    {0x2000, 0x200a},
    {0x2028, 0x2029},
    {0x202f, 0x202f},
    {0x205f, 0x205f},
    {0x3000, 0x3000},
    {0xfeff, 0xfeff},
};
static const struct range LINE_ENDS[] = {
    {'\n',   '\n'  },
    {'\r',   '\r'  },
    {0x2028, 0x2029},
};

struct named_class {
    char name; /* behind a backslash; its capital is the rest */
    const struct range *ranges;
    size_t count;
};

#define RANGES(array) (array), sizeof(array) / sizeof((array)[0])

static const struct named_class NAMED[] = {
    {'d', RANGES(DIGITS)},
    {'w', RANGES(WORD)  },
    {'s', RANGES(SPACE) },
};

static bool add_range(struct parser *parser, uint32_t low, uint32_t high)
{
    if (parser->range_count == RANGES_MAX) return fail(parser, TOO_LARGE);
    parser->ranges[parser->range_count++] = (struct range){low, high};
    return true;
}

static bool add_ranges(struct parser *parser, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!add_range(parser, ranges[i].low, ranges[i].high)) return false;
    }
    return true;
}

/* What is between them; they are in order. */
static bool add_rest(struct parser *parser, const struct range *ranges, size_t count)
{
    uint32_t low = 0;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].low > low && !add_range(parser, low, ranges[i].low - 1)) return false;
        low = ranges[i].high + 1;
    }
    return add_range(parser, low, CODE_POINT_MAX);
}

/* `\d` and the like, whose ranges are added; false: it is none, or there is no room (`why`). */
static bool take_named(struct parser *parser)
{
    if (parser->end - parser->at < 2 || *parser->at != '\\') return false;
    const char c = parser->at[1];
    for (size_t i = 0; i < sizeof(NAMED) / sizeof(NAMED[0]); i++) {
        const struct named_class *const named = &NAMED[i];
        if (c != named->name && c != named->name - 'a' + 'A') continue;
        parser->at += 2;
        return c == named->name ? add_ranges(parser, named->ranges, named->count)
                                : add_rest(parser, named->ranges, named->count);
    }
    return false;
}

static bool take_class_character(struct parser *parser, uint32_t *ret_c)
{
    if (parser->at == parser->end) return fail(parser, "`[` has no `]`");
    if (!take(parser, '\\')) {
        *ret_c = take_code_point(parser);
        return true;
    }
    if (take(parser, 'b')) {
        *ret_c = '\b';
        return true;
    }
    return take_escape(parser, ret_c);
}

static bool take_class_item(struct parser *parser)
{
    uint32_t low = 0;
    uint32_t high = 0;
    if (take_named(parser)) return true;
    if (parser->why != NULL || !take_class_character(parser, &low)) return false;
    high = low;
    const bool is_range =
        parser->end - parser->at >= 2 && parser->at[0] == '-' && parser->at[1] != ']';
    if (is_range) {
        parser->at++;
        const char *const behind = parser->at;
        if (take_named(parser)) {
            parser->at = behind;
            return fail(parser, "a range ends with a class; write `-` last");
        }
        if (parser->why != NULL || !take_class_character(parser, &high)) return false;
    }
    if (high < low) return fail(parser, "a range ends before it begins");
    return add_range(parser, low, high);
}

static bool emit_class(struct parser *parser, size_t first, bool negated)
{
    if (parser->class_count == RANGES_MAX) return fail(parser, TOO_LARGE);
    parser->classes[parser->class_count] =
        (struct class){(uint32_t)first, (uint32_t)(parser->range_count - first), negated};
    return emit(parser, (struct instruction){.opcode = TAKE_CLASS,
                                             .value = (uint32_t)parser->class_count++});
}

/* Behind `[`. */
static bool take_class(struct parser *parser)
{
    const bool negated = take(parser, '^');
    const size_t first = parser->range_count;
    while (!take(parser, ']')) {
        if (!take_class_item(parser)) return false;
    }
    return emit_class(parser, first, negated);
}

/* ---- repetition ---- */

static bool take_count(struct parser *parser, size_t *ret_count)
{
    const char *const start = parser->at;
    size_t count = 0;
    while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9') {
        if (count <= REPEATS_MAX) count = count * 10 + (size_t)(*parser->at - '0');
        parser->at++;
    }
    *ret_count = count;
    return parser->at > start;
}

/* Behind `{`. `ret_most` SIZE_MAX: no limit. */
static bool take_counts(struct parser *parser, size_t *ret_least, size_t *ret_most)
{
    static const char WHY[] = "`{` wants a count such as {2}, {2,} or {2,5}; a brace is `\\{`";
    if (!take_count(parser, ret_least)) return fail(parser, WHY);
    *ret_most = *ret_least;
    if (take(parser, ',') && !take_count(parser, ret_most)) *ret_most = SIZE_MAX;
    if (!take(parser, '}')) return fail(parser, WHY);
    if (*ret_most < *ret_least) return fail(parser, "a repetition ends before it begins");
    if (*ret_least > REPEATS_MAX || (*ret_most != SIZE_MAX && *ret_most > REPEATS_MAX)) {
        return fail(parser, "a repetition is counted to 1,000 at most");
    }
    return true;
}

/* Up to `more` copies of the block from `start` on of `size`. */
static bool repeat_optional(struct parser *parser, size_t start, size_t size, size_t more)
{
    for (size_t i = 0; i < more; i++) {
        const size_t copy = parser->size;
        if (!repeat(parser, start, size) || !make_optional(parser, copy)) return false;
    }
    return true;
}

/* The block from `start` on, `least` to `most` times. */
static bool repeat_block(struct parser *parser, size_t start, size_t least, size_t most)
{
    const size_t size = parser->size - start;
    if (most == 0) parser->size = start;
    if (most == 0 || size == 0) return true;
    for (size_t i = 1; i < least; i++) {
        if (!repeat(parser, start, size)) return false;
    }
    if (most == SIZE_MAX) {
        return make_loop(parser, parser->size - size) &&
               (least > 0 || make_optional(parser, start));
    }
    if (least > 0) return repeat_optional(parser, start, size, most - least);
    return repeat_optional(parser, start, size, most - 1) && make_optional_at(parser, start, size);
}

static bool is_repetition(const struct parser *parser)
{
    return is_next(parser, '*') || is_next(parser, '+') || is_next(parser, '?') ||
           is_next(parser, '{');
}

static bool take_repetition(struct parser *parser, size_t start)
{
    size_t least = 0;
    size_t most = SIZE_MAX;
    if (take(parser, '+')) {
        least = 1;
    } else if (take(parser, '?')) {
        most = 1;
    } else if (take(parser, '{')) {
        if (!take_counts(parser, &least, &most)) return false;
    } else if (!take(parser, '*')) {
        return true;
    }
    (void)take(parser, '?'); /* the shortest: whether it is found is the same */
    return repeat_block(parser, start, least, most);
}

/* ---- terms ---- */

static bool take_alternatives(struct parser *parser);

static bool take_group_name(struct parser *parser)
{
    while (parser->at < parser->end && *parser->at != '>') {
        parser->at++;
    }
    return take(parser, '>') || fail(parser, "`(?<` has no `>`");
}

/* Behind `(`. */
/* NOLINTNEXTLINE(misc-no-recursion): no deeper than GROUPS_MAX */
static bool take_group(struct parser *parser)
{
    if (take(parser, '?')) {
        const bool named = take(parser, '<');
        if (is_next(parser, '=') || is_next(parser, '!')) {
            return fail(parser,
                        "looking ahead or behind is not understood here; write a schema "
                        "for each condition under `allOf`");
        }
        if (named) {
            if (!take_group_name(parser)) return false;
        } else if (!take(parser, ':')) {
            return fail(parser, "`(?` wants `:` or a name; flags are not understood here");
        }
    }
    if (++parser->depth > GROUPS_MAX) return fail(parser, "groups are nested deeper than 32");
    if (!take_alternatives(parser)) return false;
    parser->depth--;
    return take(parser, ')') || fail(parser, "`(` has no `)`");
}

static bool emit_opcode(struct parser *parser, enum opcode opcode)
{
    return emit(parser, (struct instruction){.opcode = (uint8_t)opcode});
}

/* What matches no character; true with *ret_taken where there is one. */
static bool take_edge(struct parser *parser, bool *ret_taken)
{
    static const struct {
        const char *text;
        enum opcode opcode;
    } EDGES[] = {
        {"^",   AT_START        },
        {"$",   AT_END          },
        {"\\b", AT_WORD_EDGE    },
        {"\\B", NOT_AT_WORD_EDGE},
    };
    *ret_taken = false;
    for (size_t i = 0; i < sizeof(EDGES) / sizeof(EDGES[0]); i++) {
        const size_t size = strlen(EDGES[i].text);
        if ((size_t)(parser->end - parser->at) < size) continue;
        if (memcmp(parser->at, EDGES[i].text, size) != 0) continue;
        parser->at += size;
        *ret_taken = true;
        return emit_opcode(parser, EDGES[i].opcode);
    }
    return true;
}

static bool emit_char(struct parser *parser, uint32_t c)
{
    return emit(parser, (struct instruction){.opcode = TAKE_CHAR, .value = c});
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static bool take_atom(struct parser *parser)
{
    const size_t first = parser->range_count;
    uint32_t c = 0;
    if (take(parser, '(')) return take_group(parser);
    if (take(parser, '[')) return take_class(parser);
    if (take(parser, '.')) {
        return add_ranges(parser, RANGES(LINE_ENDS)) && emit_class(parser, first, true);
    }
    if (take_named(parser)) return emit_class(parser, first, false);
    if (parser->why != NULL) return false;
    if (take(parser, '\\')) return take_escape(parser, &c) && emit_char(parser, c);
    if (is_repetition(parser)) {
        return fail(parser, "there is nothing to repeat; a literal one has a backslash before it");
    }
    return emit_char(parser, take_code_point(parser));
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static bool take_term(struct parser *parser)
{
    bool is_edge = false;
    const size_t start = parser->size;
    if (!take_edge(parser, &is_edge)) return false;
    if (!is_edge) return take_atom(parser) && take_repetition(parser, start);
    if (is_repetition(parser)) {
        return fail(parser, "there is nothing to repeat; a literal one has a backslash before it");
    }
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static bool take_alternatives(struct parser *parser)
{
    int last_jump = -1; /* each remembers the one before it until their end is known */
    size_t start = parser->size;
    for (;;) {
        while (parser->at < parser->end && *parser->at != '|' && *parser->at != ')') {
            if (!take_term(parser)) return false;
        }
        if (!take(parser, '|')) break;
        const int16_t size = (int16_t)(parser->size - start);
        if (!insert(
                parser, start,
                (struct instruction){.opcode = SPLIT, .left = 1, .right = (int16_t)(size + 2)}) ||
            !emit(parser, (struct instruction){.opcode = JUMP, .left = (int16_t)last_jump})) {
            return false;
        }
        last_jump = (int)parser->size - 1;
        start = parser->size;
    }
    while (last_jump >= 0) {
        const int before = parser->code[last_jump].left;
        parser->code[last_jump].left = (int16_t)((int)parser->size - last_jump);
        last_jump = before;
    }
    return true;
}

static bool parse(struct parser *parser)
{
    if (!take_alternatives(parser)) return false;
    if (parser->at < parser->end) return fail(parser, "`)` has no `(`");
    return emit_opcode(parser, FOUND);
}

const struct pattern *pattern_compile(struct bytes source, struct arena *arena,
                                      const char **ret_why)
{
    struct arena scratch = {0};
    struct parser *const parser = arena_alloc(&scratch, sizeof(*parser));
    struct pattern *pattern = NULL;
    parser->at = source.data;
    parser->end = source.data + source.size;
    if (parse(parser)) {
        pattern = arena_alloc(arena, sizeof(*pattern));
        pattern->source = bytes_copy(arena, source);
        pattern->size = parser->size;
        pattern->code =
            (const void *)arena_copy(arena, parser->code, parser->size * sizeof(parser->code[0]));
        pattern->classes = (const void *)arena_copy(
            arena, parser->classes, parser->class_count * sizeof(parser->classes[0]));
        pattern->ranges = (const void *)arena_copy(arena, parser->ranges,
                                                   parser->range_count * sizeof(parser->ranges[0]));
    } else {
        *ret_why = parser->why;
    }
    arena_done(&scratch);
    return pattern;
}

struct bytes pattern_source(const struct pattern *pattern)
{
    return pattern->source;
}
