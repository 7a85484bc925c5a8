/*
 * api/definition_asyncapi.c
 *   GET /v1/definitions/{name}/asyncapi: what the newest version of one definition sends, and what
 * it may be answered, for those who write its participants.
 *
 * The shapes that all definitions share are copied from /asyncapi.json.
 */
#include "api/documents.h"
#include "api/handlers.h"
#include "api/server.h"
#include "orchestrator/engine/registry.h"
#include "sagas/machine/machine.h"

/* A command that a step sends. */
struct sending {
    const struct step *step;
    const struct send *send;
    enum op op;
    const struct json_view *schema; /* of its reply's value; NULL: anything */
};

/* A step that waits for a signal. */
struct waiting {
    struct bytes name;
    const struct json_view *schema; /* of its payload; NULL: anything */
};

struct asyncapi {
    struct buffer body;
    const struct definition *definition;
    struct sending *sendings;
    size_t count;
    struct waiting *waitings;
    size_t waiting_count;
};

/* ---- what there is ---- */

static const struct json_view *source_of(const struct json_view *steps, const struct step *step)
{
    const struct json_view *at = steps == NULL ? NULL : steps->child;
    for (; at != NULL; at = at->next) {
        const struct json_view *const id = json_view_member(at, "id");
        if (id != NULL && bytes_equal(id->string, step->id)) return at;
    }
    return NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than JSON_DEPTH_MAX */
static bool has_reference(const struct json_view *view)
{
    if (bytes_equal_text(view->key, "$ref")) return true;
    for (const struct json_view *at = view->child; at != NULL; at = at->next) {
        if (has_reference(at)) return true;
    }
    return false;
}

/* One that points into itself would point into the document. */
static const struct json_view *schema_of(const struct json_view *place, const char *name)
{
    const struct json_view *const schema = place == NULL ? NULL : json_view_member(place, name);
    return schema == NULL || has_reference(schema) ? NULL : schema;
}

static void add_sending(struct asyncapi *asyncapi, const struct step *step, const struct send *send,
                        enum op op, const struct json_view *source)
{
    asyncapi->sendings[asyncapi->count++] = (struct sending){
        .step = step,
        .send = send,
        .op = op,
        .schema = schema_of(json_view_member(source, op_name(op)), "output_schema"),
    };
}

static void list_step(struct asyncapi *asyncapi, const struct step *step,
                      const struct json_view *place)
{
    if (step->kind == STEP_ACTION) add_sending(asyncapi, step, &step->action, OP_ACTION, place);
    if (step->probe != NULL) add_sending(asyncapi, step, step->probe, OP_PROBE, place);
    if (step->undo == UNDO_COMMAND) {
        add_sending(asyncapi, step, &step->compensation, OP_COMPENSATE, place);
    }
    if (step->kind != STEP_SIGNAL) return;
    asyncapi->waitings[asyncapi->waiting_count++] = (struct waiting){
        step->signal->name, schema_of(json_view_member(place, "signal"), "schema")};
}

static void list_steps(struct asyncapi *asyncapi, struct arena *arena)
{
    const struct definition *const definition = asyncapi->definition;
    const struct json_view *source = NULL;
    struct json_error error;
    const bool is_read = json_view_parse(definition->source, arena, &source, &error);
    const struct json_view *const steps = is_read ? json_view_member(source, "steps") : NULL;
    asyncapi->sendings =
        arena_array(arena, (size_t)3 * definition->step_count, sizeof(*asyncapi->sendings));
    asyncapi->waitings = arena_array(arena, definition->step_count, sizeof(*asyncapi->waitings));
    for (uint16_t i = 0; i < definition->step_count; i++) {
        const struct step *const step = &definition->steps[i];
        list_step(asyncapi, step, source_of(steps, step));
    }
}

/* ---- parts ---- */

/* The messages and operations of a command are named "<step>.<op>". */
static void add_name(struct buffer *body, const struct sending *sending)
{
    buffer_add_bytes(body, sending->step->id);
    buffer_add_char(body, '.');
    buffer_add_text(body, op_name(sending->op));
}

static void add_key(struct buffer *body, const struct sending *sending)
{
    buffer_add_char(body, '"');
    add_name(body, sending);
    buffer_add_text(body, "\":");
}

static void add_const(struct buffer *body, const char *name, struct bytes value)
{
    buffer_add_format(body, "\"%s\":{\"const\":", name);
    json_write_string(body, value);
    buffer_add_char(body, '}');
}

static void add_command(struct buffer *body, const struct sending *sending)
{
    add_key(body, sending);
    buffer_add_text(body, "{\"name\":");
    json_write_string(body, sending->send->type);
    buffer_add_text(body,
                    ",\"contentType\":\"application/json\",\"headers\":{\"type\":\"object\","
                    "\"allOf\":[{\"$ref\":\"#/components/schemas/CommandHeaders\"}],"
                    "\"properties\":{");
    add_const(body, "ce_type", sending->send->type);
    buffer_add_char(body, ',');
    add_const(body, "ce_sagastep", sending->step->id);
    buffer_add_char(body, ',');
    add_const(body, "ce_sagaop", bytes_of(op_name(sending->op)));
    for (size_t i = 0; i < sending->send->header_count; i++) {
        buffer_add_char(body, ',');
        json_write_string(body, sending->send->headers[i].name);
        buffer_add_text(body, ":{\"type\":\"string\"}");
    }
    buffer_add_text(body,
                    "}},\"payload\":{\"description\":\"The mapped input\"},\"correlationId\":"
                    "{\"$ref\":\"#/components/correlationIds/token\"}}");
}

static void add_reply(struct buffer *body, const struct sending *sending)
{
    add_key(body, sending);
    buffer_add_text(body,
                    "{\"name\":\"reply\",\"contentType\":\"application/json\",\"headers\":"
                    "{\"$ref\":\"#/components/schemas/ReplyHeaders\"},\"payload\":");
    if (sending->schema == NULL) {
        buffer_add_text(body, "{\"description\":\"With success the output\"}");
    } else {
        buffer_add_text(body,
                        "{\"description\":\"With success the first one; with another outcome "
                        "whatever it has to say\",\"anyOf\":[");
        buffer_add_bytes(body, sending->schema->text);
        buffer_add_text(body, ",{}]}");
    }
    buffer_add_text(body, ",\"correlationId\":{\"$ref\":\"#/components/correlationIds/token\"}}");
}

/* The first command of each topic makes its channel. */
static bool makes_channel(const struct asyncapi *asyncapi, size_t which)
{
    for (size_t i = 0; i < which; i++) {
        const struct send *const other = asyncapi->sendings[i].send;
        if (bytes_equal(other->topic, asyncapi->sendings[which].send->topic)) return false;
    }
    return true;
}

static void add_command_channel(struct asyncapi *asyncapi, size_t first)
{
    struct buffer *const body = &asyncapi->body;
    const struct bytes topic = asyncapi->sendings[first].send->topic;
    json_write_string(body, topic);
    buffer_add_text(body, ":{\"address\":");
    json_write_string(body, topic);
    buffer_add_text(body, ",\"messages\":{");
    for (size_t i = first; i < asyncapi->count; i++) {
        if (!bytes_equal(asyncapi->sendings[i].send->topic, topic)) continue;
        if (i > first) buffer_add_char(body, ',');
        add_command(body, &asyncapi->sendings[i]);
    }
    buffer_add_text(body, "}},");
}

/* The first step that waits for a name makes its message, named "<name>.signal". */
static bool makes_message(const struct asyncapi *asyncapi, size_t which)
{
    for (size_t i = 0; i < which; i++) {
        if (bytes_equal(asyncapi->waitings[i].name, asyncapi->waitings[which].name)) return false;
    }
    return true;
}

/* The payload fits the schema of every step that waits for the name. */
static void add_signal(struct asyncapi *asyncapi, size_t first)
{
    struct buffer *const body = &asyncapi->body;
    const struct bytes name = asyncapi->waitings[first].name;
    buffer_add_format(body, "\"%.*s.signal\":{\"name\":", (int)name.size, name.data);
    json_write_string(body, name);
    buffer_add_text(body,
                    ",\"contentType\":\"application/json\",\"headers\":{\"type\":\"object\","
                    "\"allOf\":[{\"$ref\":\"#/components/schemas/SignalHeaders\"}],"
                    "\"properties\":{");
    add_const(body, "ce_type", name);
    buffer_add_text(body,
                    "}},\"payload\":{\"description\":\"The output of the step; empty counts as "
                    "null\",\"allOf\":[{}");
    for (size_t i = first; i < asyncapi->waiting_count; i++) {
        const struct waiting *const waiting = &asyncapi->waitings[i];
        if (waiting->schema == NULL || !bytes_equal(waiting->name, name)) continue;
        buffer_add_char(body, ',');
        buffer_add_bytes(body, waiting->schema->text);
    }
    buffer_add_text(body, "]}}");
}

static void add_signal_channel(struct asyncapi *asyncapi, const char *topic)
{
    struct buffer *const body = &asyncapi->body;
    buffer_add_text(body, "\"saga.signals\":{\"address\":");
    json_write_text(body, topic);
    buffer_add_text(body, ",\"messages\":{");
    for (size_t i = 0; i < asyncapi->waiting_count; i++) {
        if (!makes_message(asyncapi, i)) continue;
        if (i > 0) buffer_add_char(body, ',');
        add_signal(asyncapi, i);
    }
    buffer_add_text(body, "}}");
}

static void add_reply_channel(struct asyncapi *asyncapi, const char *topic)
{
    struct buffer *const body = &asyncapi->body;
    buffer_add_text(body, "\"saga.replies\":{\"address\":");
    json_write_text(body, topic);
    buffer_add_text(body, ",\"messages\":{");
    for (size_t i = 0; i < asyncapi->count; i++) {
        if (i > 0) buffer_add_char(body, ',');
        add_reply(body, &asyncapi->sendings[i]);
    }
    buffer_add_text(body, "}}");
}

static void add_channels(struct asyncapi *asyncapi, const struct bus *bus)
{
    struct buffer *const body = &asyncapi->body;
    buffer_add_text(body, ",\"channels\":{");
    for (size_t i = 0; i < asyncapi->count; i++) {
        if (makes_channel(asyncapi, i)) add_command_channel(asyncapi, i);
    }
    if (asyncapi->count > 0) add_reply_channel(asyncapi, bus_reply_topic(bus));
    if (asyncapi->count > 0 && asyncapi->waiting_count > 0) buffer_add_char(body, ',');
    if (asyncapi->waiting_count > 0) add_signal_channel(asyncapi, bus_signal_topic(bus));
    buffer_add_char(body, '}');
}

static void add_sending_operation(struct buffer *body, const struct sending *sending)
{
    add_key(body, sending);
    buffer_add_text(body, "{\"action\":\"send\",\"channel\":{\"$ref\":\"#/channels/");
    buffer_add_bytes(body, sending->send->topic);
    buffer_add_text(body, "\"},\"messages\":[{\"$ref\":\"#/channels/");
    buffer_add_bytes(body, sending->send->topic);
    buffer_add_text(body, "/messages/");
    add_name(body, sending);
    buffer_add_text(body,
                    "\"}],\"reply\":{\"channel\":{\"$ref\":\"#/channels/saga.replies\"},"
                    "\"messages\":[{\"$ref\":\"#/channels/saga.replies/messages/");
    add_name(body, sending);
    buffer_add_text(body, "\"}]}}");
}

static void add_signal_operation(struct buffer *body, struct bytes name)
{
    buffer_add_format(body,
                      "\"%.*s.signal\":{\"action\":\"receive\",\"channel\":{\"$ref\":"
                      "\"#/channels/saga.signals\"},\"messages\":[{\"$ref\":"
                      "\"#/channels/saga.signals/messages/%.*s.signal\"}]}",
                      (int)name.size, name.data, (int)name.size, name.data);
}

static void add_operations(struct asyncapi *asyncapi)
{
    struct buffer *const body = &asyncapi->body;
    buffer_add_text(body, ",\"operations\":{");
    for (size_t i = 0; i < asyncapi->count; i++) {
        if (i > 0) buffer_add_char(body, ',');
        add_sending_operation(body, &asyncapi->sendings[i]);
    }
    for (size_t i = 0; i < asyncapi->waiting_count; i++) {
        if (!makes_message(asyncapi, i)) continue;
        if (asyncapi->count + i > 0) buffer_add_char(body, ',');
        add_signal_operation(body, asyncapi->waitings[i].name);
    }
    buffer_add_char(body, '}');
}

static void add_components(struct buffer *body)
{
    const struct json_view *document = NULL;
    struct json_error error;
    buffer_add_text(body, ",\"components\":");
    if (json_view_parse(document_asyncapi(), body->arena, &document, &error)) {
        json_write_compact(body, json_view_member(document, "components"));
    } else {
        buffer_add_text(body, "{}");
    }
}

/* ---- the document ---- */

static void add_head(struct buffer *body, const struct definition *definition)
{
    buffer_add_text(body, "{\"asyncapi\":\"3.0.0\",\"info\":{\"title\":");
    json_write_string(body, definition->name);
    buffer_add_format(body, ",\"version\":\"%u\",\"description\":", definition->version);
    json_write_text(body,
                    "What this saga sends to its participants, what they answer, and the "
                    "signals it waits for. CloudEvents 1.0, Kafka binding, binary mode.");
    buffer_add_text(body, "},\"defaultContentType\":\"application/json\"");
}

enum handled definition_asyncapi(struct exchange *exchange, struct store *store)
{
    struct asyncapi asyncapi = {.body = buffer_in(&exchange->arena)};
    struct registered registered;
    struct err err;
    if (!registry_by_name(exchange->api->registry, store, exchange->argument[0], 0, &registered,
                          &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    asyncapi.definition = registered.definition;
    list_steps(&asyncapi, &exchange->arena);
    add_head(&asyncapi.body, registered.definition);
    add_channels(&asyncapi, exchange->api->bus);
    add_operations(&asyncapi);
    add_components(&asyncapi.body);
    buffer_add_char(&asyncapi.body, '}');
    return exchange_json(exchange, 200, buffer_bytes(&asyncapi.body));
}
