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

/* Decode %-escapes, and `+` as a space where `plus` stands for one; NULL: *ret_what says why not.
 */
static bool decode(struct bytes text, char plus, struct arena *arena, struct bytes *ret_text,
                   const char **ret_what)
{
    char *const decoded = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i] == '+' ? plus : text.data[i];
        if (c == '%') {
            const int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
            const int low = i + 2 < text.size ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                *ret_what = "a % is not followed by two hexadecimal digits";
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') {
            *ret_what = "%00 is not accepted";
            return false;
        }
        decoded[size++] = c;
    }
    *ret_text = (struct bytes){decoded, size};
    if (utf8_valid(*ret_text)) return true;
    *ret_what = "the decoded text is not UTF-8";
    return false;
}

static bool is_plain(struct bytes target)
{
    for (size_t i = 0; i < target.size; i++)
        if (target.data[i] <= ' ' || target.data[i] >= 0x7f || target.data[i] == '#') return false;
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

static bool read_path(struct bytes path, struct arena *arena, struct uri *uri,
                      const char **ret_what)
{
    struct bytes rest = {path.data + 1, path.size - 1};
    for (bool more = true; more;) {
        more = memchr(rest.data, '/', rest.size) != NULL;
        struct bytes segment = {0};
        if (!decode(cut(&rest, '/'), '+', arena, &segment, ret_what)) return false;
        if (uri->segment_count < SEGMENTS_MAX) uri->segment[uri->segment_count] = segment;
        if (uri->segment_count <= SEGMENTS_MAX) uri->segment_count++;
    }
    return true;
}

static bool read_query(struct bytes query, struct arena *arena, struct uri *uri,
                       const char **ret_what)
{
    struct parameter *const parameters =
        arena_array(arena, PARAMETERS_MAX, sizeof(struct parameter));
    while (query.size > 0) {
        struct bytes pair = cut(&query, '&');
        if (pair.size == 0) continue;
        if (uri->parameter_count == PARAMETERS_MAX) {
            *ret_what = "the query has more than 64 parameters";
            return false;
        }
        struct parameter *const parameter = &parameters[uri->parameter_count++];
        if (!decode(cut(&pair, '='), ' ', arena, &parameter->name, ret_what)) return false;
        if (!decode(pair, ' ', arena, &parameter->value, ret_what)) return false;
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
    uri.path = cut(&query, '?');
    if (!read_path(uri.path, arena, &uri, ret_what)) return false;
    if (query.size > 0 && !read_query(query, arena, &uri, ret_what)) return false;
    *ret_uri = uri;
    return true;
}

struct bytes uri_parameter(const struct uri *uri, const char *name)
{
    for (size_t i = 0; i < uri->parameter_count; i++)
        if (bytes_equal_text(uri->parameters[i].name, name)) return uri->parameters[i].value;
    return (struct bytes){0};
}
