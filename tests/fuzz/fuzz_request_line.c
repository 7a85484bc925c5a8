/*
 * tests/fuzz/fuzz_request_line.c
 *   The head of an HTTP request: the target, and what framing_walk says of a block that was parsed
 * in place by somebody lenient.
 *
 * parse_leniently does what libmicrohttpd 0.9.75 does: it takes CRLF and bare LF, folds lines, cuts
 * strings at NUL, and overwrites line ends and colons. If the walk calls its result clean, the
 * bytes that came must have been clean; and whatever target is accepted must have a sound shape.
 */
#include "api/framing.h"
#include "api/text.h"
#include "api/uri.h"
#include "sagas/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 4096, VERSION_SIZE = 8 };

struct parsed {
    char block[HEAD_MAX + 1]; /* in place */
    size_t size;              /* to behind the empty line; 0: it never came */
    const char *target, *version;
    struct header headers[HEADERS_MAX];
    size_t count;
};

/* The next line, its end overwritten; NULL: no line end follows. */
static char *next_line(struct parsed *parsed, size_t *at, size_t size)
{
    char *const line = parsed->block + *at;
    char *const end = memchr(line, '\n', size - *at);
    if (end == NULL) return NULL;
    *at = (size_t)(end - parsed->block) + 1;
    *end = '\0';
    if (end > line && end[-1] == '\r') end[-1] = '\0';
    return line;
}

static bool parse_request_line(struct parsed *parsed, char *line, size_t size)
{
    char *const target = memchr(line, ' ', size);
    if (target == NULL) return false;
    *target = '\0';
    char *version = line + size;
    while (version > target && version[-1] != ' ') {
        version--;
    }
    if (version <= target + 1 || strlen(version) != VERSION_SIZE) return false;
    version[-1] = '\0';
    parsed->target = target + 1;
    parsed->version = version;
    return true;
}

static bool parse_leniently(struct parsed *parsed, const uint8_t *data, size_t size)
{
    size_t at = 0;
    memcpy(parsed->block, data, size);
    char *line = next_line(parsed, &at, size);
    if (line == NULL || !parse_request_line(parsed, line, strlen(line))) return false;
    while ((line = next_line(parsed, &at, size)) != NULL && *line != '\0') {
        char *const colon = strchr(line, ':');
        if (parsed->count == HEADERS_MAX || colon == NULL) return false;
        *colon = '\0';
        const char *const value = colon + 1 + strspn(colon + 1, " \t");
        parsed->headers[parsed->count++] = (struct header){bytes_of(line), bytes_of(value)};
    }
    parsed->size = at;
    return line != NULL;
}

static bool ends_lines(char c)
{
    return c == '\r' || c == '\n' || c == '\0';
}

/* CRLF, or a NUL that makes up for a CR that is missing (framing.h). */
static bool is_line_end(const char *at)
{
    return ends_lines(at[0]) && ends_lines(at[1]);
}

/* Without NUL there is nothing that could make up for a missing CR. */
static bool is_crlf_only(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r')) return false;
    }
    return true;
}

/* The head that the headers say there was, in its one clean form. */
static void assert_clean(const struct parsed *parsed, const uint8_t *data)
{
    const char *at = (const char *)data + (parsed->version - parsed->block) + VERSION_SIZE;
    assert(is_line_end(at));
    at += 2;
    for (size_t i = 0; i < parsed->count; i++) {
        const struct header *const header = &parsed->headers[i];
        assert(memcmp(at, header->name.data, header->name.size) == 0);
        at += header->name.size;
        assert(*at == ':');
        for (at++; *at == ' ' || *at == '\t';) {
            at++;
        }
        assert(memcmp(at, header->value.data, header->value.size) == 0);
        at += header->value.size;
        assert(is_line_end(at));
        at += 2;
    }
    assert(is_line_end(at));
    assert((const uint8_t *)at + 2 == data + parsed->size);
    assert(memchr(data, '\0', parsed->size) != NULL || is_crlf_only(data, parsed->size));
}

static void try_framing(struct parsed *parsed, const uint8_t *data)
{
    const char *what = NULL;
    const struct head_block block = {parsed->version, parsed->block + parsed->size};
    if (framing_walk(&block, parsed->headers, parsed->count, &what)) assert_clean(parsed, data);
    const struct head head = {parsed->version, parsed->headers, parsed->count};
    if (!framing_check(&head, &what)) {
        assert(what != NULL);
        return;
    }
    const bool has_length = header_count(parsed->headers, parsed->count, "Content-Length") > 0;
    const bool has_coding = header_count(parsed->headers, parsed->count, "Transfer-Encoding") > 0;
    assert(!has_length || !has_coding);
    assert(header_count(parsed->headers, parsed->count, "Host") <= 1);
}

static void try_target(struct bytes target, struct arena *arena)
{
    struct uri uri = {0};
    const char *what = NULL;
    if (!uri_parse(target, arena, &uri, &what)) {
        assert(what != NULL);
        return;
    }
    assert(uri.path.size > 0 && uri.path.data[0] == '/');
    for (size_t i = 0; i < uri.segment_count && i < SEGMENTS_MAX; i++) {
        assert(utf8_valid(uri.segment[i]) && strlen(uri.segment[i].data) == uri.segment[i].size);
    }
    for (size_t i = 0; i < uri.parameter_count; i++) {
        assert(utf8_valid(uri.parameters[i].name) && utf8_valid(uri.parameters[i].value));
    }
}

static void try_texts(struct bytes text, struct arena *arena)
{
    int64_t at_ms = 0;
    uint32_t number = 0;
    struct bytes data = {0};
    (void)text_time(text, &at_ms);
    (void)text_seconds(text, &number);
    (void)text_etag(text, ETAG_WEAK_TOO, &number);
    (void)text_etags_hold(text, 1);
    (void)text_prefer_wait(text, &number);
    (void)text_accepts(text, "application/json");
    (void)text_is_media_type(text, "application/json");
    (void)text_is_traceparent(text);
    (void)text_base64url_read(text, arena, &data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct parsed *const parsed = calloc(1, sizeof(*parsed));
    if (parsed == NULL || size > HEAD_MAX) {
        free(parsed);
        return 0;
    }
    if (parse_leniently(parsed, data, size)) {
        try_framing(parsed, data);
        try_target(bytes_of(parsed->target), &arena);
        for (size_t i = 0; i < parsed->count; i++) {
            try_texts(parsed->headers[i].value, &arena);
        }
    }
    try_target((struct bytes){(const char *)data, size}, &arena);
    free(parsed);
    arena_done(&arena);
    return 0;
}
