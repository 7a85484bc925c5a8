#include "api/saga_filter.h"

#include "api/body.h"
#include "api/text.h"

#include <string.h>

struct reading {
    struct exchange *exchange;
    struct saga_filter filter;
    enum saga_state *states;
    struct bytes *definitions;
    struct tag_write *tags;
    bool matches_nothing;
    const struct parameter *in_body; /* the one at hand, where a body holds them */
};

typedef bool filter_reader(struct reading *reading, struct bytes value);

static bool refuse_value(struct reading *reading, const char *what, struct bytes value)
{
    const struct bytes shown = body_shown(value);
    struct refusal *const refusal = &reading->exchange->refusal;
    if (reading->in_body != NULL) {
        struct buffer pointer = buffer_in(refusal->arena);
        buffer_add_text(&pointer, "/filter");
        json_pointer_add(&pointer, reading->in_body->name);
        return refuse_at(refusal, buffer_bytes(&pointer), "%s: '%.*s'", what, (int)shown.size,
                         shown.data);
    }
    return refuse(refusal, PROBLEM_INVALID_QUERY, "%s: '%.*s'", what, (int)shown.size, shown.data);
}

/* Said twice it is meant once: what drives a search takes one after the other. */
static void add_state(struct reading *reading, enum saga_state state)
{
    for (size_t i = 0; i < reading->filter.state_count; i++) {
        if (reading->states[i] == state) return;
    }
    reading->states[reading->filter.state_count++] = state;
}

static bool is_tag(const struct tag_write *a, const struct tag_write *b)
{
    return a->kind == b->kind && bytes_equal(a->name, b->name) && bytes_equal(a->value, b->value);
}

static void add_tag(struct reading *reading, const struct tag_write *tag)
{
    for (size_t i = 0; i < reading->filter.tag_count; i++) {
        if (is_tag(&reading->tags[i], tag)) return;
    }
    reading->tags[reading->filter.tag_count++] = *tag;
}

static bool read_state(struct reading *reading, struct bytes value)
{
    enum saga_state state = SAGA_PENDING;
    if (saga_state_parse(value, &state)) {
        add_state(reading, state);
        return true;
    }
    return refuse_value(reading,
                        "state is none of pending running compensating succeeded "
                        "compensated stuck terminated",
                        value);
}

static bool read_definition(struct reading *reading, struct bytes value)
{
    reading->definitions[reading->filter.definition_count++] = value;
    return true;
}

static bool read_version(struct reading *reading, struct bytes value)
{
    uint64_t version = 0;
    if (!text_number(value, UINT32_MAX, &version) || version == 0) {
        return refuse_value(reading, "version is a number from 1", value);
    }
    if (reading->filter.version != 0 && reading->filter.version != version) {
        return refuse_value(reading, "version may be given once", value);
    }
    reading->filter.version = (uint32_t)version;
    return true;
}

static bool read_attention(struct reading *reading, struct bytes value)
{
    enum attention attention = 0;
    if (!attention_parse(value, &attention)) {
        return refuse_value(reading,
                            "attention is none of retrying no_handler overdue stuck "
                            "paused bad_reply held",
                            value);
    }
    reading->filter.attention |= attention;
    return true;
}

static bool read_tag(struct reading *reading, char kind, struct bytes value)
{
    const char *const equals = memchr(value.data, '=', value.size);
    if (equals == NULL || equals == value.data) {
        return refuse_value(reading, "a label or attribute is written name=value", value);
    }
    const size_t size = (size_t)(equals - value.data);
    add_tag(reading, &(struct tag_write){
                         .kind = kind,
                         .name = {value.data, size                 },
                         .value = {equals + 1, value.size - size - 1},
    });
    return true;
}

static bool read_label(struct reading *reading, struct bytes value)
{
    return read_tag(reading, 'l', value);
}

static bool read_attribute(struct reading *reading, struct bytes value)
{
    return read_tag(reading, 'a', value);
}

static bool read_after(struct reading *reading, struct bytes value)
{
    int64_t at_ms = 0;
    if (!text_time(value, &at_ms)) {
        return refuse_value(reading, "created_after is an RFC 3339 time", value);
    }
    if (at_ms > reading->filter.created_after_ms) reading->filter.created_after_ms = at_ms;
    return true;
}

static bool read_before(struct reading *reading, struct bytes value)
{
    int64_t *const before_ms = &reading->filter.created_before_ms;
    int64_t at_ms = 0;
    if (!text_time(value, &at_ms)) {
        return refuse_value(reading, "created_before is an RFC 3339 time", value);
    }
    if (*before_ms == 0 || at_ms < *before_ms) *before_ms = at_ms;
    return true;
}

/* No saga has a parent: child sagas are not among the kinds of step yet. */
static bool read_parent(struct reading *reading, struct bytes value)
{
    struct uuid parent;
    reading->matches_nothing = true;
    return uuid_parse(value, &parent) || refuse_value(reading, "parent is a saga id", value);
}

static bool read_other(struct reading *reading, struct bytes value)
{
    (void)reading;
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
    return read_other;
}

static bool read_all(struct reading *reading, const struct parameter *parameters, size_t count,
                     bool in_body)
{
    struct arena *const arena = &reading->exchange->arena;
    reading->states = arena_array(arena, count + 1, sizeof(*reading->states));
    reading->definitions = arena_array(arena, count + 1, sizeof(*reading->definitions));
    reading->tags = arena_array(arena, count + 1, sizeof(*reading->tags));
    reading->filter = (struct saga_filter){
        .states = reading->states,
        .definitions = reading->definitions,
        .tags = reading->tags,
    };
    for (size_t i = 0; i < count; i++) {
        reading->in_body = in_body ? &parameters[i] : NULL;
        if (!reader_of(parameters[i].name)(reading, parameters[i].value)) return false;
    }
    return true;
}

bool saga_filter_read(struct exchange *exchange, struct saga_filter *ret_filter,
                      bool *ret_matches_nothing)
{
    struct reading reading = {.exchange = exchange};
    if (!read_all(&reading, exchange->uri.parameters, exchange->uri.parameter_count, false)) {
        return false;
    }
    *ret_filter = reading.filter;
    *ret_matches_nothing = reading.matches_nothing;
    return true;
}

bool saga_filter_of(struct exchange *exchange, const struct parameter *parameters, size_t count,
                    struct saga_filter *ret_filter, bool *ret_matches_nothing)
{
    struct reading reading = {.exchange = exchange};
    if (!read_all(&reading, parameters, count, true)) return false;
    *ret_filter = reading.filter;
    *ret_matches_nothing = reading.matches_nothing;
    return true;
}
