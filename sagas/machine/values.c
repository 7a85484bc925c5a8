/* What expressions see of a saga, and what becomes of them. */
#include "sagas/machine/turn.h"

#include "sagas/base/duration.h"

#include <stdio.h>
#include <string.h>

static const struct bytes JSON_NULL = {"null", 4};

/* ---- steps.<id> ---- */

/* Outputs in item order; joined once, when every item has its own. */
static struct bytes collect(struct saga *saga, struct step_runs *runs)
{
    if (runs->collected.data != NULL) return runs->collected;
    struct buffer list = buffer_in(saga->arena);
    buffer_add_char(&list, '[');
    for (uint32_t i = 0; i < runs->count; i++) {
        if (i > 0) buffer_add_char(&list, ',');
        const struct bytes output = runs->run[i].output;
        buffer_add_bytes(&list, output.data == NULL ? JSON_NULL : output);
    }
    buffer_add_char(&list, ']');
    runs->collected = buffer_bytes(&list);
    return runs->collected;
}

static struct bytes step_output(struct saga *saga, struct step_runs *runs)
{
    /* An output that breaks its schema is kept for the undo alone. */
    if (step_standing(runs) != STANDING_DONE) return (struct bytes){0};
    return runs->expanded ? collect(saga, runs) : runs->run[0].output;
}

static struct bytes step_error(const struct step_runs *runs, struct arena *arena)
{
    for (uint32_t i = 0; i < runs_shown(runs); i++) {
        const struct saga_error *const error = &runs->run[i].error;
        if (error->code[0] == '\0') continue;
        struct buffer json = buffer_in(arena);
        buffer_add_text(&json, "{\"code\":");
        json_write_text(&json, error->code);
        buffer_add_text(&json, ",\"detail\":");
        if (error->detail.data == NULL) {
            buffer_add_bytes(&json, JSON_NULL);
        } else {
            json_write_string(&json, error->detail);
        }
        buffer_add_char(&json, '}');
        return buffer_bytes(&json);
    }
    return (struct bytes){0};
}

static void refresh_steps(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    const size_t count = saga->definition->step_count;
    if (turn->values_fresh) return;
    if (turn->value_steps == NULL) {
        turn->value_steps = arena_array(turn->context->arena, count, sizeof(*turn->value_steps));
    }
    for (size_t i = 0; i < count; i++) {
        struct step_runs *const runs = &saga->steps[i];
        turn->value_steps[i] = (struct expression_step){
            .output = step_output(saga, runs),
            .error = step_error(runs, turn->context->arena),
            .state = step_state_name(step_shown_state(runs)),
        };
    }
    turn->values_fresh = true;
}

static struct bytes id_text(const struct saga *saga, struct arena *arena)
{
    char *const text = arena_alloc(arena, UUID_TEXT_SIZE);
    uuid_print(&saga->id, text);
    return (struct bytes){text, UUID_TEXT_SIZE - 1};
}

static struct expression_values plain_values(const struct saga *saga, struct arena *arena)
{
    return (struct expression_values){
        .input = saga->input,
        .saga_id = id_text(saga, arena),
        .saga_name = saga->definition->name,
        .saga_version = saga->definition->version,
        .saga_started_at_ms = saga->started_at_ms,
        .saga_labels = saga->labels,
    };
}

static struct expression_values step_values(struct turn *turn)
{
    struct expression_values values = plain_values(turn->saga, turn->context->arena);
    refresh_steps(turn);
    values.steps = turn->value_steps;
    return values;
}

/* ---- when, foreach ---- */

bool condition_holds(struct turn *turn, const struct step *step, bool *ret_holds,
                     struct expression_error *ret_error)
{
    if (step->when == NULL) {
        *ret_holds = true;
        return true;
    }
    const struct expression_values values = step_values(turn);
    struct bytes result = {0};
    if (!expression_evaluate(step->when, &values, turn->context->arena, &result, ret_error)) {
        return false;
    }
    *ret_holds = bytes_equal_text(result, "true");
    if (*ret_holds || result.data == NULL || bytes_equal_text(result, "false") ||
        bytes_equal(result, JSON_NULL)) {
        return true;
    }
    (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                   "`when` must be true, false or null; write a comparison");
    return false;
}

/* The items of a JSON list as texts that live as long as the saga. */
static const struct bytes *keep_items(struct turn *turn, struct bytes list,
                                      const struct json_view *view)
{
    const char *const kept = arena_copy(turn->saga->arena, list.data, list.size);
    struct bytes *const items = arena_array(turn->saga->arena, view->count + 1, sizeof(*items));
    size_t i = 0;
    for (const struct json_view *item = view->child; item != NULL; item = item->next) {
        items[i++] = (struct bytes){kept + (item->text.data - list.data), item->text.size};
    }
    return items;
}

bool list_items(struct turn *turn, const struct step *step, uint32_t *ret_count,
                const char **ret_code, struct expression_error *ret_error)
{
    struct step_runs *const runs = &turn->saga->steps[step->position];
    const struct expression_values values = step_values(turn);
    struct bytes list = {0};
    *ret_code = "expression_error";
    if (!expression_evaluate(step->foreach->in, &values, turn->context->arena, &list, ret_error)) {
        return false;
    }
    if (list.data == NULL || bytes_equal(list, JSON_NULL)) list = BYTES("[]");
    const struct json_view *view = NULL;
    struct json_error json_error;
    if (!json_view_parse(list, turn->context->arena, &view, &json_error) ||
        view->type != VIEW_ARRAY) {
        (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                       "`foreach.in` must be a list or null");
        return false;
    }
    if (view->count > step->foreach->max_items) {
        *ret_code = "too_many_items";
        (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                       "`foreach.in` has %u items, at most %u are allowed", view->count,
                       step->foreach->max_items);
        return false;
    }
    runs->items = keep_items(turn, list, view);
    *ret_count = view->count;
    return true;
}

/* An item of a foreach that was reached earlier: its list comes out the same each time. */
static bool item_value(struct turn *turn, const struct run_ref *ref, struct bytes *ret_item,
                       struct expression_error *ret_error)
{
    struct step_runs *const runs = ref->runs;
    uint32_t count = runs->count;
    const char *code = NULL;
    if (runs->items == NULL && !list_items(turn, ref->step, &count, &code, ret_error)) {
        return false;
    }
    if (runs->items != NULL && count == runs->count) {
        *ret_item = runs->items[ref->index];
        return true;
    }
    runs->items = NULL;
    (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                   "`foreach.in` had %u items when it was reached and has %u now", runs->count,
                   count);
    return false;
}

/* ---- commands ---- */

static bool render_key(struct turn *turn, const struct expression *key,
                       const struct expression_values *values, struct bytes *ret_key,
                       struct expression_error *ret_error)
{
    struct bytes json = {0};
    *ret_key = values->saga_id;
    if (key == NULL) return true;
    if (!expression_evaluate(key, values, turn->context->arena, &json, ret_error)) return false;
    if (json.data == NULL || bytes_equal(json, JSON_NULL)) return true;
    if (json_scalar_text(json, turn->context->arena, ret_key)) return true;
    (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                   "`key` must be a text, a number, a boolean or null");
    return false;
}

static bool render_header(struct turn *turn, const struct send_header *header,
                          const struct expression_values *values, struct bytes *ret_value,
                          struct expression_error *ret_error)
{
    struct bytes json = {0};
    *ret_value = BYTES("");
    if (!template_render(header->value, values, turn->context->arena, &json, ret_error)) {
        return false;
    }
    if (bytes_equal(json, JSON_NULL)) return true;
    if (json_scalar_text(json, turn->context->arena, ret_value)) return true;
    (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                   "header `%.80s` must be a text, a number, a boolean or null", header->name.data);
    return false;
}

static bool render(struct turn *turn, struct bytes said, const struct expression_values *values,
                   struct command *command, struct expression_error *ret_error)
{
    const struct send *const send = command->send;
    struct bytes *const headers =
        arena_array(turn->context->arena, send->header_count, sizeof(*headers));
    command->value = said.data != NULL ? said : BYTES("{}");
    command->headers = headers;
    if (!render_key(turn, send->key, values, &command->key, ret_error)) return false;
    if (said.data == NULL && send->input != NULL &&
        !template_render(send->input, values, turn->context->arena, &command->value, ret_error)) {
        return false;
    }
    for (size_t i = 0; i < send->header_count; i++) {
        if (!render_header(turn, &send->headers[i], values, &headers[i], ret_error)) return false;
    }
    return true;
}

bool run_values(struct turn *turn, const struct run_ref *ref, struct expression_values *ret_values,
                struct expression_error *ret_error)
{
    *ret_values = step_values(turn);
    if (ref->index == INDEX_NONE) return true;
    ret_values->index = ref->index;
    return item_value(turn, ref, &ret_values->item, ret_error);
}

bool make_command(struct turn *turn, const struct run_ref *ref, enum op op,
                  struct command *ret_command, struct expression_error *ret_error)
{
    struct expression_values values;
    if (!run_values(turn, ref, &values, ret_error)) return false;
    if (op == OP_COMPENSATE) values.output = ref->run->output;
    *ret_command = (struct command){
        .saga_id = turn->saga->id,
        .step = ref->step,
        .index = ref->index,
        .op = op,
        .send = run_send(ref->step, op),
    };
    /* What an operator said to send instead is the action's. */
    const struct bytes said = op == OP_PROBE ? (struct bytes){0} : ref->run->input;
    return render(turn, said, &values, ret_command, ret_error);
}

/* ---- delays ---- */

static bool evaluate_text(struct turn *turn, const struct run_ref *ref,
                          const struct expression *expression, struct bytes *ret_text,
                          struct expression_error *ret_error)
{
    struct expression_values values;
    struct bytes json = {0};
    if (!run_values(turn, ref, &values, ret_error)) return false;
    if (!expression_evaluate(expression, &values, turn->context->arena, &json, ret_error)) {
        return false;
    }
    const bool is_text = json.size > 0 && json.data[0] == '"';
    *ret_text = (struct bytes){0};
    return !is_text || json_scalar_text(json, turn->context->arena, ret_text);
}

bool delay_end(struct turn *turn, const struct run_ref *ref, int64_t *ret_at_ms,
               struct expression_error *ret_error)
{
    const struct delay *const delay = ref->step->delay;
    uint64_t for_ms = delay->for_ms;
    struct bytes text = {0};
    if (delay->until != NULL) {
        if (!evaluate_text(turn, ref, delay->until, &text, ret_error)) return false;
        if (text.data != NULL && time_parse(text, ret_at_ms)) return true;
        (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                       "`delay.until` must give an RFC 3339 time such as 2030-01-31T12:00:00Z");
        return false;
    }
    if (delay->for_expression != NULL) {
        if (!evaluate_text(turn, ref, delay->for_expression, &text, ret_error)) return false;
        if (!duration_parse(text, &for_ms)) {
            (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                           "`delay.for` must give a duration such as \"1h30m\" or \"PT1H30M\"");
            return false;
        }
    }
    *ret_at_ms = turn->context->now_ms + (int64_t)for_ms;
    return true;
}

/* ---- the saga as a whole ---- */

bool saga_output(struct turn *turn, struct bytes *ret_output, struct expression_error *ret_error)
{
    *ret_output = (struct bytes){0};
    if (turn->saga->definition->output == NULL) return true;
    const struct expression_values values = step_values(turn);
    struct bytes json = {0};
    if (!template_render(turn->saga->definition->output, &values, turn->context->arena, &json,
                         ret_error)) {
        return false;
    }
    *ret_output = bytes_copy(turn->saga->arena, json);
    return true;
}

bool saga_input_fits(const struct definition *definition, struct bytes input,
                     const struct json_view *view, struct arena *arena,
                     struct schema_report *ret_report)
{
    const struct schema *const schema = definition->input_schema;
    if (schema == NULL) return true;
    if (view != NULL) return schema_check(schema, view, arena, ret_report);
    return schema_check_text(schema, input, arena, ret_report);
}

static bool refuse_key(struct expression_error *ret_error, const char *what)
{
    (void)snprintf(ret_error->detail, sizeof(ret_error->detail), "`concurrency.key` %s", what);
    return false;
}

bool saga_lock_key(const struct saga *saga, struct arena *arena, struct bytes *ret_key,
                   struct expression_error *ret_error)
{
    const struct concurrency *const concurrency = saga->definition->concurrency;
    const struct expression_values values = plain_values(saga, arena);
    struct bytes json = {0};
    *ret_key = BYTES("");
    if (concurrency == NULL || concurrency->key == NULL) return true;
    if (!expression_evaluate(concurrency->key, &values, arena, &json, ret_error)) return false;
    if (json.data == NULL || bytes_equal(json, JSON_NULL)) {
        return refuse_key(ret_error, "is null: whom the saga would have to wait for is not known");
    }
    if (!json_scalar_text(json, arena, ret_key)) {
        return refuse_key(ret_error, "must be a text, a number or a boolean");
    }
    if (ret_key->size == 0) return refuse_key(ret_error, "is an empty text");
    if (memchr(ret_key->data, '\0', ret_key->size) != NULL) {
        return refuse_key(ret_error, "must not hold the character U+0000");
    }
    if (ret_key->size <= LOCK_KEY_SIZE_MAX) return true;
    (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                   "`concurrency.key` has %zu bytes, at most %d are allowed", ret_key->size,
                   LOCK_KEY_SIZE_MAX);
    return false;
}

bool saga_attributes(const struct saga *saga, struct arena *arena, struct bytes *ret_json,
                     struct expression_error *ret_error)
{
    const struct expression_values values = plain_values(saga, arena);
    struct buffer json = buffer_in(arena);
    buffer_add_char(&json, '{');
    for (size_t i = 0; i < saga->definition->attribute_count; i++) {
        const struct attribute *const attribute = &saga->definition->attributes[i];
        struct bytes value = {0};
        struct bytes text = {0};
        if (!expression_evaluate(attribute->value, &values, arena, &value, ret_error)) return false;
        if (value.data == NULL || bytes_equal(value, JSON_NULL)) continue;
        if (!json_scalar_text(value, arena, &text)) {
            (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                           "attribute `%.80s` must be a text, a number, a boolean or null",
                           attribute->name.data);
            return false;
        }
        if (memchr(text.data, '\0', text.size) != NULL) {
            (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                           "attribute `%.80s` must not hold a NUL character", attribute->name.data);
            return false;
        }
        if (json.size > 1) buffer_add_char(&json, ',');
        json_write_string(&json, attribute->name);
        buffer_add_char(&json, ':');
        json_write_string(&json, text);
    }
    buffer_add_char(&json, '}');
    struct bytes key = {0};
    *ret_json = buffer_bytes(&json);
    return saga->definition->concurrency == NULL || saga_lock_key(saga, arena, &key, ret_error);
}
