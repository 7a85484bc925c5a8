#include "api/uri.h"

#include "sagas/base/utf8.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The byte of `%41` at `at`; -1: not two hexadecimal digits. */
static int escaped_byte(struct bytes text, size_t at)
{
    if (at + 2 >= text.size) return -1;
    const int high = hex_digit(text.data[at + 1]);
    const int low = hex_digit(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

struct decoding {
    struct arena *arena;
    const char *what; /* why it failed */
    bool plus_is_space;
};

/* Resolve %-escapes; `text` becomes what they stand for. */
static bool decode(struct decoding *decoding, struct bytes *text)
{
    char *const decoded = arena_alloc(decoding->arena, text->size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text->size; i++) {
        const bool is_escape = text->data[i] == '%';
        const int byte = is_escape ? escaped_byte(*text, i) : (unsigned char)text->data[i];
        decoding->what =
            byte == 0 ? "%00 is not accepted" : "a % is not followed by two hexadecimal digits";
        if (byte <= 0) return false;
        decoded[size++] = (char)(byte == '+' && !is_escape && decoding->plus_is_space ? ' ' : byte);
        if (is_escape) i += 2;
    }
    *text = (struct bytes){decoded, size};
    decoding->what = "the decoded text is not UTF-8";
    return utf8_valid(*text);
}

static bool is_plain(struct bytes target)
{
    for (size_t i = 0; i < target.size; i++) {
        if (target.data[i] <= ' ' || target.data[i] >= 0x7f || target.data[i] == '#') return false;
    }
    return true;
}

/* What follows `http://authority` of an absolute target. */
static struct bytes without_authority(struct bytes target)
{
    static const char *const SCHEMES[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
        const size_t size = strlen(SCHEMES[i]);
        if (target.size <= size || strncasecmp(target.data, SCHEMES[i], size) != 0) continue;
        const char *const slash = memchr(target.data + size, '/', target.size - size);
        if (slash == NULL || slash == target.data + size) return BYTES("");
        return (struct bytes){slash, target.size - (size_t)(slash - target.data)};
    }
    return target;
}

/* The run up to `end` (not included) or to the end of the text; *rest moves behind it. */
static struct bytes cut(struct bytes *rest, char end)
{
    const char *const found = memchr(rest->data, end, rest->size);
    const struct bytes run = {rest->data,
                              found == NULL ? rest->size : (size_t)(found - rest->data)};
    const size_t gone = found == NULL ? run.size : run.size + 1;
    *rest = (struct bytes){rest->data + gone, rest->size - gone};
    return run;
}

static bool read_path(struct bytes path, struct decoding *decoding, struct uri *uri)
{
    struct bytes rest = {path.data + 1, path.size - 1};
    for (bool more = true; more;) {
        more = memchr(rest.data, '/', rest.size) != NULL;
        struct bytes segment = cut(&rest, '/');
        if (!decode(decoding, &segment)) return false;
        if (uri->segment_count < SEGMENTS_MAX) uri->segment[uri->segment_count] = segment;
        if (uri->segment_count <= SEGMENTS_MAX) uri->segment_count++;
    }
    return true;
}

static bool read_query(struct bytes query, struct decoding *decoding, struct uri *uri)
{
    struct parameter *const parameters =
        arena_array(decoding->arena, PARAMETERS_MAX, sizeof(struct parameter));
    while (query.size > 0) {
        struct bytes pair = cut(&query, '&');
        if (pair.size == 0) continue;
        if (uri->parameter_count == PARAMETERS_MAX) {
            decoding->what = "the query has more than 64 parameters";
            return false;
        }
        struct parameter *const parameter = &parameters[uri->parameter_count++];
        parameter->name = cut(&pair, '=');
        parameter->value = pair;
        if (!decode(decoding, &parameter->name) || !decode(decoding, &parameter->value)) {
            return false;
        }
    }
    uri->parameters = parameters;
    return true;
}

bool uri_parse(struct bytes target, struct arena *arena, struct uri *ret_uri, const char **ret_what)
{
    struct uri uri = {0};
    *ret_what = "the request target is not a path";
    if (!is_plain(target)) {
        *ret_what = "the request target holds a control, a non-ASCII byte or a fragment";
        return false;
    }
    struct bytes query = without_authority(target);
    if (query.size == 0 || query.data[0] != '/') return false;
    struct decoding decoding = {.arena = arena};
    uri.path = cut(&query, '?');
    bool right = read_path(uri.path, &decoding, &uri);
    decoding.plus_is_space = true;
    right = right && read_query(query, &decoding, &uri);
    *ret_what = decoding.what;
    if (!right) return false;
    *ret_uri = uri;
    return true;
}

struct bytes uri_parameter(const struct uri *uri, const char *name)
{
    for (size_t i = 0; i < uri->parameter_count; i++) {
        if (bytes_equal_text(uri->parameters[i].name, name)) return uri->parameters[i].value;
    }
    return (struct bytes){0};
}
