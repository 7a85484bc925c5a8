/*
 * api/failures.c
 *   /v1/failures: stuck and retrying sagas, together where the same thing is wrong with them.
 */
#include "api/cursor.h"
#include "api/failure_id.h"
#include "api/handlers.h"
#include "api/server.h"
#include "api/text.h"
#include "orchestrator/store/failure.h"

#include <inttypes.h>
#include <string.h>

enum { LIST_SAMPLE = 5, SHOW_SAMPLE = 50 };

static const char HEX[] = "0123456789abcdef";

/* ---- ids ---- */

static char letter_of(enum failure_state state)
{
    return state == FAILURE_STUCK ? 's' : 'r';
}

void failure_id_write(struct buffer *buffer, const struct failure_group *group)
{
    buffer_add_format(buffer, "%c%" PRIx64 "-%016" PRIx64, letter_of(group->state),
                      (uint64_t)group->definition_id, (uint64_t)group->key);
}

/* Lower-case hexadecimal digits, as many as there are, at most 16. */
static bool read_hex(struct bytes *text, uint64_t *ret_number)
{
    size_t size = 0;
    *ret_number = 0;
    for (; size < text->size && text->data[size] != '-'; size++) {
        const char *const digit = memchr(HEX, text->data[size], sizeof(HEX) - 1);
        if (digit == NULL || size == 16) return false;
        *ret_number = *ret_number << 4 | (uint64_t)(digit - HEX);
    }
    *text = (struct bytes){text->data + size, text->size - size};
    return size > 0;
}

bool failure_id_read(struct bytes id, enum failure_state *ret_state, int64_t *ret_definition_id,
                     int64_t *ret_key)
{
    uint64_t definition_id = 0;
    uint64_t key = 0;
    if (id.size < 2) return false;
    *ret_state = id.data[0] == 's' ? FAILURE_STUCK : FAILURE_RETRYING;
    if (id.data[0] != letter_of(*ret_state)) return false;
    struct bytes rest = {id.data + 1, id.size - 1};
    if (!read_hex(&rest, &definition_id) || rest.size < 2) return false;
    rest = (struct bytes){rest.data + 1, rest.size - 1};
    if (!read_hex(&rest, &key) || rest.size > 0) return false;
    *ret_definition_id = (int64_t)definition_id;
    *ret_key = (int64_t)key;
    return true;
}

/* ---- as JSON ---- */

static void add_text(struct buffer *body, const char *name, struct bytes text)
{
    buffer_add_format(body, ",\"%s\":", name);
    if (text.data == NULL) {
        buffer_add_text(body, "null");
    } else {
        json_write_string(body, text);
    }
}

static void add_sample(struct buffer *body, struct bytes ids)
{
    buffer_add_text(body, ",\"sample\":[");
    for (size_t at = 0; at + sizeof(struct uuid) <= ids.size; at += sizeof(struct uuid)) {
        struct uuid id;
        char text[UUID_TEXT_SIZE];
        memcpy(&id, ids.data + at, sizeof(id));
        uuid_print(&id, text);
        buffer_add_format(body, "%s\"%s\"", at > 0 ? "," : "", text);
    }
    buffer_add_text(body, "]}");
}

static void add_group(struct buffer *body, const struct failure_group *group)
{
    buffer_add_text(body, "{\"id\":\"");
    failure_id_write(body, group);
    buffer_add_text(body, "\",\"definition\":");
    json_write_string(body, group->definition);
    buffer_add_format(body, ",\"version\":%u,\"state\":\"%s\"", group->version,
                      failure_state_name(group->state));
    add_text(body, "step", group->step);
    add_text(body, "op", group->step.data == NULL ? group->step : bytes_of(op_name(group->op)));
    add_text(body, "code", group->code);
    buffer_add_format(body, ",\"count\":%" PRId64 ",\"first_at\":", group->count);
    json_write_time(body, group->first_at_ms);
    buffer_add_text(body, ",\"last_at\":");
    json_write_time(body, group->last_at_ms);
    add_sample(body, group->sample);
}

/* ---- asking ---- */

struct cursor_key {
    int64_t count, key;
};

static bool read_states(struct exchange *exchange, struct failure_filter *filter)
{
    enum failure_state *const states =
        arena_array(&exchange->arena, exchange->uri.parameter_count + 2, sizeof(*states));
    filter->states = states;
    for (size_t i = 0; i < exchange->uri.parameter_count; i++) {
        const struct parameter *const parameter = &exchange->uri.parameters[i];
        enum failure_state state = FAILURE_NONE;
        if (!bytes_equal_text(parameter->name, "state")) continue;
        if (!failure_state_parse(parameter->value, &state)) {
            return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY,
                          "state is stuck or retrying here");
        }
        const bool again = filter->state_count > 0 && states[0] == state;
        if (!again && filter->state_count < 2) states[filter->state_count++] = state;
    }
    if (filter->state_count > 0) return true;
    states[filter->state_count++] = FAILURE_STUCK;
    states[filter->state_count++] = FAILURE_RETRYING;
    return true;
}

static void read_definitions(struct exchange *exchange, struct failure_filter *filter)
{
    struct bytes *const names =
        arena_array(&exchange->arena, exchange->uri.parameter_count + 1, sizeof(*names));
    filter->definitions = names;
    for (size_t i = 0; i < exchange->uri.parameter_count; i++) {
        const struct parameter *const parameter = &exchange->uri.parameters[i];
        if (!bytes_equal_text(parameter->name, "definition")) continue;
        names[filter->definition_count++] = parameter->value;
    }
}

static bool read_filter(struct exchange *exchange, struct failure_filter *filter)
{
    struct bytes key;
    struct cursor_key before;
    read_definitions(exchange, filter);
    if (!read_states(exchange, filter) || !cursor_limit(exchange, &filter->limit) ||
        !cursor_read(exchange, &key)) {
        return false;
    }
    filter->sample = LIST_SAMPLE;
    filter->has_before = key.data != NULL;
    if (!filter->has_before) return true;
    if (key.size != sizeof(before)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
    }
    memcpy(&before, key.data, sizeof(before));
    filter->before_count = before.count;
    filter->before_key = before.key;
    return true;
}

enum handled failure_list(struct exchange *exchange, struct store *store)
{
    struct failure_filter filter = {0};
    struct failure_group *groups = NULL;
    struct buffer body = buffer_in(&exchange->arena);
    struct bytes cursor = {0};
    size_t count = 0;
    struct err err;
    if (!read_filter(exchange, &filter)) return exchange_refused(exchange);
    const size_t limit = filter.limit++; /* one more tells whether a page follows */
    if (!store_failures(store, &filter, &exchange->arena, &groups, &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_FAILURE_NOT_FOUND);
    }
    if (count > limit) {
        count = limit;
        const struct cursor_key last = {groups[count - 1].count, groups[count - 1].key};
        cursor = cursor_make(exchange, &last, sizeof(last));
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        add_group(&body, &groups[i]);
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

enum handled failure_show(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct failure_group group;
    enum failure_state state = FAILURE_NONE;
    int64_t definition_id = 0;
    int64_t key = 0;
    struct err err;
    if (!failure_id_read(exchange->argument[0], &state, &definition_id, &key)) {
        return exchange_problem(exchange, PROBLEM_FAILURE_NOT_FOUND, "no group has this id");
    }
    if (!store_failure(store, state, definition_id, key, SHOW_SAMPLE, &exchange->arena, &group,
                       &err)) {
        return exchange_failed(exchange, &err, PROBLEM_FAILURE_NOT_FOUND);
    }
    add_group(&body, &group);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}
