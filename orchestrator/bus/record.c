/*
 * orchestrator/bus/record.c
 *   See record.h.
 */
#include "orchestrator/bus/record.h"

#include "sagas/base/json_view.h"
#include "sagas/base/utf8.h"

bool record_header(const struct bus_record *record, const char *name, struct bytes *ret_value)
{
    struct bytes found = {0};
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        if (header->value.data == NULL || !bytes_equal_text(header->name, name)) continue;
        if (found.data != NULL && !bytes_equal(found, header->value)) return false;
        found = header->value;
    }
    *ret_value = found;
    return true;
}

const char *record_payload(const struct bus_record *record, struct arena *arena,
                           struct bytes *ret_payload)
{
    *ret_payload = (struct bytes){0};
    if (record->value.size == 0) return NULL;
    if (record->value.size > PAYLOAD_SIZE_MAX) return "the value is larger than 256 KiB";
    const struct json_view *view = NULL;
    struct json_error error;
    if (!json_view_parse(record->value, arena, &view, &error)) {
        struct buffer what = buffer_in(arena);
        buffer_add_format(&what, "the value is no JSON: %s at byte %zu", error.what, error.offset);
        return what.data;
    }
    if (view->type != VIEW_NULL) *ret_payload = view->text;
    return NULL;
}

/* A JSON string of any bytes: what is no UTF-8 becomes the code point of its byte. */
static void write_any_string(struct buffer *buffer, struct bytes text)
{
    struct buffer clean = buffer_in(buffer->arena);
    for (size_t i = 0; i < text.size;) {
        const size_t size = utf8_size(text.data + i, text.data + text.size);
        if (size > 0) {
            buffer_add(&clean, text.data + i, size);
        } else {
            char escaped[UTF8_SIZE_MAX];
            buffer_add(&clean, escaped, utf8_encode((uint8_t)text.data[i], escaped));
        }
        i += size > 0 ? size : 1;
    }
    json_write_string(buffer, clean.data == NULL ? BYTES("") : buffer_bytes(&clean));
}

struct bytes record_headers_json(const struct bus_record *record, struct arena *arena)
{
    struct buffer json = buffer_in(arena);
    buffer_add_char(&json, '[');
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        buffer_add_text(&json, i > 0 ? ",[" : "[");
        write_any_string(&json, header->name);
        buffer_add_char(&json, ',');
        if (header->value.data == NULL) {
            buffer_add_text(&json, "null");
        } else {
            write_any_string(&json, header->value);
        }
        buffer_add_char(&json, ']');
    }
    buffer_add_char(&json, ']');
    return buffer_bytes(&json);
}
