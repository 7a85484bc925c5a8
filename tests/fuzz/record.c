#include "tests/fuzz/record.h"

#include <string.h>

static struct bus_header read_header(const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    const size_t name_size = colon == NULL ? size : (size_t)(colon - line);
    struct bus_header header = {
        .name = {line, name_size}
    };
    if (colon != NULL) header.value = (struct bytes){colon + 1, size - name_size - 1};
    return header;
}

void record_of_text(struct bytes input, struct bus_header *headers, struct bus_record *record)
{
    const char *at = input.data, *end = input.data + input.size;
    while (at < end && record->header_count < RECORD_HEADERS_MAX) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const size_t size = (size_t)((newline == NULL ? end : newline) - at);
        const char *line = at;
        at = newline == NULL ? end : newline + 1;
        if (size == 0) break;
        headers[record->header_count++] = read_header(line, size);
    }
    record->headers = headers;
    record->value = (struct bytes){at, (size_t)(end - at)};
}
