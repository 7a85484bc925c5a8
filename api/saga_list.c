/*
 * api/saga_list.c
 *   GET /v1/sagas: newest first, by filter.
 */
#include "api/body.h"
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/render.h"
#include "api/saga_read.h"
#include "api/server.h"
#include "api/text.h"

#include <string.h>

struct listing {
    struct exchange *exchange;
    struct saga_filter filter;
    enum saga_state *states;
    struct bytes *definitions;
    struct tag_write *tags;
    bool matches_nothing;
};

typedef bool filter_reader(struct listing *listing, struct bytes value);

static bool refuse_value(struct listing *listing, const char *what, struct bytes value)
{
    const struct bytes shown = body_shown(value);
    return refuse(&listing->exchange->refusal, PROBLEM_INVALID_QUERY, "%s: '%.*s'", what,
                  (int)shown.size, shown.data);
}

static bool read_state(struct listing *listing, struct bytes value)
{
    if (saga_state_parse(value, &listing->states[listing->filter.state_count])) {
        listing->filter.state_count++;
        return true;
    }
    return refuse_value(listing,
                        "state is none of pending running compensating succeeded "
                        "compensated stuck terminated",
                        value);
}

static bool read_definition(struct listing *listing, struct bytes value)
{
    listing->definitions[listing->filter.definition_count++] = value;
    return true;
}

static bool read_version(struct listing *listing, struct bytes value)
{
    uint64_t version = 0;
    if (!text_number(value, UINT32_MAX, &version) || version == 0) {
        return refuse_value(listing, "version is a number from 1", value);
    }
    if (listing->filter.version != 0 && listing->filter.version != version) {
        return refuse_value(listing, "version may be given once", value);
    }
    listing->filter.version = (uint32_t)version;
    return true;
}

static bool read_attention(struct listing *listing, struct bytes value)
{
    enum attention attention = 0;
    if (!attention_parse(value, &attention)) {
        return refuse_value(listing,
                            "attention is none of retrying no_handler overdue stuck "
                            "paused bad_reply held",
                            value);
    }
    listing->filter.attention |= attention;
    return true;
}

static bool read_tag(struct listing *listing, char kind, struct bytes value)
{
    const char *const equals = memchr(value.data, '=', value.size);
    if (equals == NULL || equals == value.data) {
        return refuse_value(listing, "a label or attribute is written name=value", value);
    }
    const size_t size = (size_t)(equals - value.data);
    listing->tags[listing->filter.tag_count++] = (struct tag_write){
        .kind = kind,
        .name = {value.data, size                 },
        .value = {equals + 1, value.size - size - 1},
    };
    return true;
}

static bool read_label(struct listing *listing, struct bytes value)
{
    return read_tag(listing, 'l', value);
}

static bool read_attribute(struct listing *listing, struct bytes value)
{
    return read_tag(listing, 'a', value);
}

static bool read_after(struct listing *listing, struct bytes value)
{
    int64_t at_ms = 0;
    if (!text_time(value, &at_ms)) {
        return refuse_value(listing, "created_after is an RFC 3339 time", value);
    }
    if (at_ms > listing->filter.created_after_ms) listing->filter.created_after_ms = at_ms;
    return true;
}

static bool read_before(struct listing *listing, struct bytes value)
{
    int64_t *const before_ms = &listing->filter.created_before_ms;
    int64_t at_ms = 0;
    if (!text_time(value, &at_ms)) {
        return refuse_value(listing, "created_before is an RFC 3339 time", value);
    }
    if (*before_ms == 0 || at_ms < *before_ms) *before_ms = at_ms;
    return true;
}

/* No saga has a parent: child sagas are not among the kinds of step yet. */
static bool read_parent(struct listing *listing, struct bytes value)
{
    struct uuid parent;
    listing->matches_nothing = true;
    return uuid_parse(value, &parent) || refuse_value(listing, "parent is a saga id", value);
}

static bool read_page(struct listing *listing, struct bytes value)
{
    (void)listing;
    (void)value;
    return true;
}

static filter_reader *reader_of(struct bytes name)
{
    static const struct {
        const char *name;
        filter_reader *read;
    } READERS[] = {
        {"state",          read_state     },
        {"definition",     read_definition},
        {"version",        read_version   },
        {"attention",      read_attention },
        {"label",          read_label     },
        {"attribute",      read_attribute },
        {"created_after",  read_after     },
        {"created_before", read_before    },
        {"parent",         read_parent    },
    };
    for (size_t i = 0; i < sizeof(READERS) / sizeof(READERS[0]); i++) {
        if (bytes_equal_text(name, READERS[i].name)) return READERS[i].read;
    }
    return read_page;
}

static bool read_filter(struct listing *listing)
{
    struct exchange *const exchange = listing->exchange;
    const size_t count = exchange->uri.parameter_count;
    struct bytes key;
    listing->states = arena_array(&exchange->arena, count + 1, sizeof(*listing->states));
    listing->definitions = arena_array(&exchange->arena, count + 1, sizeof(*listing->definitions));
    listing->tags = arena_array(&exchange->arena, count + 1, sizeof(*listing->tags));
    listing->filter = (struct saga_filter){
        .states = listing->states,
        .definitions = listing->definitions,
        .tags = listing->tags,
    };
    for (size_t i = 0; i < count; i++) {
        const struct parameter *const parameter = &exchange->uri.parameters[i];
        if (!reader_of(parameter->name)(listing, parameter->value)) return false;
    }
    if (!cursor_limit(exchange, &listing->filter.limit) || !cursor_read(exchange, &key)) {
        return false;
    }
    listing->filter.has_before = key.data != NULL;
    if (key.data == NULL) return true;
    if (key.size != sizeof(listing->filter.before)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
    }
    memcpy(&listing->filter.before, key.data, key.size);
    return true;
}

static bool add_items(struct exchange *exchange, struct store *store, struct buffer *body,
                      const struct saga_row *rows, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct saga *saga = NULL;
        if (!saga_of_row(exchange, store, &rows[i], &saga, err)) return false;
        if (i > 0) buffer_add_char(body, ',');
        render_saga_item(body, saga, exchange->api->namespace_name);
    }
    return true;
}

enum handled saga_list(struct exchange *exchange, struct store *store)
{
    struct listing listing = {.exchange = exchange};
    struct buffer body = buffer_in(&exchange->arena);
    struct saga_row *rows = NULL;
    struct bytes cursor = {0};
    size_t count = 0;
    struct err err;
    if (!read_filter(&listing)) return exchange_refused(exchange);
    const size_t limit = listing.filter.limit++; /* one more tells whether a page follows */
    if (!listing.matches_nothing &&
        !store_list(store, &listing.filter, &exchange->arena, &rows, &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    if (count > limit) {
        count = limit;
        cursor = cursor_make(exchange, &rows[count - 1].id, sizeof(struct uuid));
    }
    buffer_add_text(&body, "{\"items\":[");
    if (!add_items(exchange, store, &body, rows, count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}
