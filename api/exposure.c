/*
 * api/exposure.c
 *   /v1/exposure: what open sagas have done that is neither confirmed nor undone, summed.
 */
#include "orchestrator/store/exposure.h"

#include "api/cursor.h"
#include "api/handlers.h"
#include "api/server.h"
#include "sagas/base/utf8.h"

#include <inttypes.h>
#include <string.h>

/* What is running, being undone or stuck; before, nothing is done, and after nothing is open. */
static const enum saga_state OPEN_STATES[] = {SAGA_RUNNING, SAGA_COMPENSATING, SAGA_STUCK};
enum { OPEN_STATE_COUNT = sizeof(OPEN_STATES) / sizeof(OPEN_STATES[0]) };

/* ---- as JSON ---- */

static void add_text(struct buffer *body, const char *name, struct bytes text)
{
    buffer_add_format(body, ",\"%s\":", name);
    if (text.size == 0) {
        buffer_add_text(body, "null");
    } else {
        json_write_string(body, text);
    }
}

static void add_time(struct buffer *body, const char *name, int64_t at_ms)
{
    buffer_add_format(body, ",\"%s\":", name);
    json_write_time(body, at_ms);
}

/* Amounts are texts: a reader's double would not be exact. Open, the caller closes the object. */
static void add_sums(struct buffer *body, const struct exposure_group *group)
{
    add_text(body, "amount", group->amount);
    buffer_add_format(body, ",\"count\":%" PRId64, group->count);
    add_text(body, "unknown_amount", group->unknown_amount);
    buffer_add_format(
        body, ",\"unknown_count\":%" PRId64 ",\"unvalued_count\":%" PRId64 ",\"sagas\":%" PRId64,
        group->unknown_count, group->unvalued_count, group->sagas);
    add_time(body, "first_at", group->first_at_ms);
    add_time(body, "last_at", group->last_at_ms);
}

static void add_group(struct buffer *body, const struct exposure_group *group)
{
    buffer_add_text(body, "{\"definition\":");
    json_write_string(body, group->definition);
    buffer_add_format(body, ",\"version\":%u", group->version);
    add_text(body, "topic", group->key.topic);
    buffer_add_format(body, ",\"state\":\"%s\"", saga_state_name(group->key.state));
    add_text(body, "kind", group->key.kind);
    add_text(body, "currency", group->key.currency);
    add_sums(body, group);
    buffer_add_char(body, '}');
}

static void add_total(struct buffer *body, const struct exposure_group *group)
{
    buffer_add_text(body, "{\"currency\":");
    if (group->key.currency.size == 0) {
        buffer_add_text(body, "null");
    } else {
        json_write_string(body, group->key.currency);
    }
    add_sums(body, group);
    buffer_add_char(body, '}');
}

/* ---- asking ---- */

static bool read_states(struct exchange *exchange, struct exposure_filter *filter)
{
    enum saga_state *const states =
        arena_array(&exchange->arena, OPEN_STATE_COUNT, sizeof(*states));
    bool wanted[SAGA_STATE_COUNT] = {0};
    bool any = false;
    for (size_t i = 0; i < exchange->uri.parameter_count; i++) {
        const struct parameter *const parameter = &exchange->uri.parameters[i];
        enum saga_state state = SAGA_PENDING;
        if (!bytes_equal_text(parameter->name, "state")) continue;
        if (!saga_state_parse(parameter->value, &state) || state == SAGA_PENDING ||
            saga_is_finished(state)) {
            return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY,
                          "state is running, compensating or stuck here");
        }
        wanted[state] = any = true;
    }
    filter->states = states;
    for (size_t i = 0; i < OPEN_STATE_COUNT; i++) {
        if (!any || wanted[OPEN_STATES[i]]) states[filter->state_count++] = OPEN_STATES[i];
    }
    return true;
}

static const struct bytes *read_texts(struct exchange *exchange, const char *name,
                                      size_t *ret_count)
{
    struct bytes *const texts =
        arena_array(&exchange->arena, exchange->uri.parameter_count + 1, sizeof(*texts));
    *ret_count = 0;
    for (size_t i = 0; i < exchange->uri.parameter_count; i++) {
        const struct parameter *const parameter = &exchange->uri.parameters[i];
        if (bytes_equal_text(parameter->name, name)) texts[(*ret_count)++] = parameter->value;
    }
    return texts;
}

/* ---- where a page ended: definition, state, then the texts with a NUL behind each but the last */

static struct bytes cursor_behind(struct exchange *exchange, const struct exposure_key *key)
{
    struct buffer whole = buffer_in(&exchange->arena);
    buffer_add(&whole, &key->definition_id, sizeof(key->definition_id));
    buffer_add_char(&whole, (char)key->state);
    buffer_add_bytes(&whole, key->topic);
    buffer_add_char(&whole, '\0');
    buffer_add_bytes(&whole, key->kind);
    buffer_add_char(&whole, '\0');
    buffer_add_bytes(&whole, key->currency);
    return cursor_make(exchange, whole.data, whole.size);
}

static bool take_text(struct bytes *rest, struct bytes *ret_text)
{
    const char *const end = memchr(rest->data, '\0', rest->size);
    if (end == NULL) return false;
    *ret_text = (struct bytes){rest->data, (size_t)(end - rest->data)};
    rest->size -= ret_text->size + 1;
    rest->data = end + 1;
    return true;
}

static bool read_key(struct bytes text, struct exposure_key *ret_key)
{
    struct bytes rest = text;
    if (rest.size <= sizeof(ret_key->definition_id)) return false;
    memcpy(&ret_key->definition_id, rest.data, sizeof(ret_key->definition_id));
    ret_key->state = (enum saga_state)(unsigned char)rest.data[sizeof(ret_key->definition_id)];
    rest.data += sizeof(ret_key->definition_id) + 1;
    rest.size -= sizeof(ret_key->definition_id) + 1;
    const struct bytes texts = rest;
    if (!take_text(&rest, &ret_key->topic) || !take_text(&rest, &ret_key->kind)) return false;
    ret_key->currency = rest;
    return utf8_valid(texts) && memchr(rest.data, '\0', rest.size) == NULL;
}

static bool read_filter(struct exchange *exchange, struct exposure_filter *filter)
{
    struct bytes cursor;
    filter->definitions = read_texts(exchange, "definition", &filter->definition_count);
    filter->topics = read_texts(exchange, "topic", &filter->topic_count);
    filter->kinds = read_texts(exchange, "kind", &filter->kind_count);
    filter->currencies = read_texts(exchange, "currency", &filter->currency_count);
    filter->after =
        (struct exposure_key){.topic = BYTES(""), .kind = BYTES(""), .currency = BYTES("")};
    if (!read_states(exchange, filter) || !cursor_limit(exchange, &filter->limit) ||
        !cursor_read(exchange, &cursor)) {
        return false;
    }
    if (cursor.data == NULL || read_key(cursor, &filter->after)) return true;
    return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
}

enum handled exposure_show(struct exchange *exchange, struct store *store)
{
    struct exposure_filter filter = {0};
    struct exposure_group *groups = NULL;
    struct buffer body = buffer_in(&exchange->arena);
    struct bytes cursor = {0};
    size_t count = 0;
    size_t items = 0;
    struct err err;
    if (!read_filter(exchange, &filter)) return exchange_refused(exchange);
    const size_t limit = filter.limit++; /* one more tells whether a page follows */
    if (!store_exposure(store, &filter, &exchange->arena, &groups, &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    while (items < count && !groups[items].is_total) {
        items++;
    }
    buffer_add_text(&body, "{\"totals\":[");
    for (size_t i = items; i < count; i++) {
        if (i > items) buffer_add_char(&body, ',');
        add_total(&body, &groups[i]);
    }
    buffer_add_text(&body, "],\"items\":[");
    if (items > limit) {
        items = limit;
        cursor = cursor_behind(exchange, &groups[items - 1].key);
    }
    for (size_t i = 0; i < items; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        add_group(&body, &groups[i]);
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}
