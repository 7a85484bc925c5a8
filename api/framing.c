#include "api/framing.h"

#include <string.h>
#include <strings.h>

enum { VERSION_SIZE = 8 };

static bool is_token_char(unsigned char c)
{
    if (c >= '0' && c <= '9') return true;
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is_token_char((unsigned char)text.data[i])) return false;
    }
    return text.size > 0;
}

/* Visible characters, spaces, tabs and bytes above ASCII. */
static bool is_field_value(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

static bool has_name(const struct header *header, const char *name, size_t size)
{
    return header->name.size == size && strncasecmp(header->name.data, name, size) == 0;
}

struct bytes header_find(const struct header *headers, size_t count, const char *name)
{
    const size_t size = strlen(name);
    for (size_t i = 0; i < count; i++) {
        if (has_name(&headers[i], name, size)) return headers[i].value;
    }
    return (struct bytes){0};
}

size_t header_count(const struct header *headers, size_t count, const char *name)
{
    const size_t size = strlen(name);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += has_name(&headers[i], name, size);
    }
    return found;
}

static bool is_host(struct bytes host)
{
    for (size_t i = 0; i < host.size; i++) {
        const unsigned char c = (unsigned char)host.data[i];
        const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        const bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && (c == '\0' || strchr("-._~%!$&'()*+,;=:[]", c) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool is_number(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
    }
    return text.size > 0 && text.size < 19;
}

/* Headers that must not come twice, because two readers could take different ones. */
static const char *twice(const struct head *head)
{
    static const struct {
        const char *name, *what;
    } SINGLE[] = {
        {"Content-Length",    "Content-Length comes twice"   },
        {"Transfer-Encoding", "Transfer-Encoding comes twice"},
        {"Host",              "Host comes twice"             },
        {"Content-Type",      "Content-Type comes twice"     },
        {"Authorization",     "Authorization comes twice"    },
        {"Idempotency-Key",   "Idempotency-Key comes twice"  },
        {"If-Match",          "If-Match comes twice"         },
        {"If-None-Match",     "If-None-Match comes twice"    },
        {"Expect",            "Expect comes twice"           },
        {"traceparent",       "traceparent comes twice"      },
    };
    for (size_t i = 0; i < sizeof(SINGLE) / sizeof(SINGLE[0]); i++) {
        if (header_count(head->headers, head->header_count, SINGLE[i].name) > 1) {
            return SINGLE[i].what;
        }
    }
    return NULL;
}

static const char *wrong_body_framing(const struct head *head)
{
    const struct bytes length = header_find(head->headers, head->header_count, "Content-Length");
    const struct bytes coding = header_find(head->headers, head->header_count, "Transfer-Encoding");
    if (length.data != NULL && !is_number(length)) return "Content-Length is not a number";
    if (coding.data == NULL) return NULL;
    if (length.data != NULL) return "Content-Length and Transfer-Encoding come together";
    if (strcmp(head->version, "HTTP/1.1") != 0) return "Transfer-Encoding needs HTTP/1.1";
    if (coding.size != 7 || strncasecmp(coding.data, "chunked", 7) != 0) {
        return "the only Transfer-Encoding that is understood is chunked";
    }
    return NULL;
}

static const char *wrong_host(const struct head *head)
{
    const struct bytes host = header_find(head->headers, head->header_count, "Host");
    if (host.data == NULL) {
        return strcmp(head->version, "HTTP/1.0") == 0 ? NULL : "the Host header is missing";
    }
    return is_host(host) ? NULL : "Host is not a host name";
}

bool framing_check(const struct head *head, const char **ret_what)
{
    for (size_t i = 0; i < head->header_count; i++) {
        *ret_what = "a header's name is not a token (a space before the colon, a folded line?)";
        if (!is_token(head->headers[i].name)) return false;
        *ret_what = "a header's value holds a control character";
        if (!is_field_value(head->headers[i].value)) return false;
    }
    const char *what = twice(head);
    if (what == NULL) what = wrong_body_framing(head);
    if (what == NULL) what = wrong_host(head);
    *ret_what = what;
    return what == NULL;
}

/* A line end that was CRLF: two NULs, and more of the block behind them. */
static bool skip_line_end(const char **at, const char *end)
{
    if (end - *at < 2 || (*at)[0] != '\0' || (*at)[1] != '\0') return false;
    *at += 2;
    return true;
}

static bool walk_header(const char **at, const char *end, const struct header *header)
{
    if (header->name.data != *at || end - *at < (ptrdiff_t)header->name.size + 1) return false;
    *at += header->name.size;
    if (**at != '\0') return false;
    *at += 1;
    while (*at < end && (**at == ' ' || **at == '\t')) {
        *at += 1;
    }
    if (header->value.data != *at || end - *at < (ptrdiff_t)header->value.size) return false;
    *at += header->value.size;
    return true;
}

bool framing_walk(const struct head_block *block, const struct header *headers, size_t count,
                  const char **ret_what)
{
    *ret_what = "a line of the head is folded, ends without CRLF, or holds a NUL or a CR";
    const char *at = block->version + VERSION_SIZE;
    if (at >= block->end || !skip_line_end(&at, block->end)) return false;
    for (size_t i = 0; i < count; i++) {
        if (!walk_header(&at, block->end, &headers[i])) return false;
        if (!skip_line_end(&at, block->end)) return false;
    }
    return skip_line_end(&at, block->end) && at == block->end;
}
