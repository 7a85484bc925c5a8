#include "sagas/expression/node.h"

#include "sagas/expression/functions.h"
#include "sagas/expression/operators.h"

#include <stdlib.h>

bool value_condition(struct evaluation *evaluation, const struct value *value, bool *ret_holds)
{
    *ret_holds = value->kind == VALUE_BOOLEAN && value->boolean;
    if (value->kind == VALUE_BOOLEAN || value->kind == VALUE_NULL) return true;
    return evaluation_fail(evaluation, "a condition has to be a boolean, not %s",
                           value_kind_name(value));
}

static bool evaluate_condition(struct evaluation *evaluation, const struct node *node,
                               bool *ret_holds)
{
    struct value value;
    return node_evaluate(evaluation, node, &value) &&
           value_condition(evaluation, &value, ret_holds);
}

/* ---- names ---- */

static bool text_value(struct bytes text, struct value *ret_value)
{
    *ret_value = text.data == NULL ? value_null() : value_string(text);
    return true;
}

static bool started_at_value(struct evaluation *evaluation, struct value *ret_value)
{
    const int64_t at_ms = evaluation->values->saga_started_at_ms;
    if (evaluation->started_at.data == NULL && at_ms != 0) {
        struct buffer json = buffer_in(evaluation->arena);
        json_write_time(&json, at_ms);
        evaluation->started_at = (struct bytes){json.data + 1, json.size - 2};
    }
    return text_value(evaluation->started_at, ret_value);
}

static bool evaluate_name(struct evaluation *evaluation, const struct node *node,
                          struct value *ret_value)
{
    static const struct expression_step NO_STEP = {.state = NULL};

    const struct expression_values *const values = evaluation->values;
    const struct expression_step *const step =
        values->steps == NULL ? &NO_STEP : &values->steps[node->step];
    switch (node->root) {
    case ROOT_INPUT: return evaluation_read(evaluation, values->input, ret_value);
    case ROOT_ITEM: return evaluation_read(evaluation, values->item, ret_value);
    case ROOT_OUTPUT: return evaluation_read(evaluation, values->output, ret_value);
    case ROOT_STEP_OUTPUT: return evaluation_read(evaluation, step->output, ret_value);
    case ROOT_STEP_ERROR: return evaluation_read(evaluation, step->error, ret_value);
    case ROOT_STEP_STATE: return text_value(bytes_of(step->state), ret_value);
    case ROOT_SAGA_ID: return text_value(values->saga_id, ret_value);
    case ROOT_SAGA_NAME: return text_value(values->saga_name, ret_value);
    case ROOT_SAGA_STARTED_AT: return started_at_value(evaluation, ret_value);
    case ROOT_SAGA_LABELS: return evaluation_read(evaluation, values->saga_labels, ret_value);
    case ROOT_SAGA_VERSION: *ret_value = value_int(values->saga_version); return true;
    case ROOT_INDEX: *ret_value = value_int(values->index); return true;
    }
    abort();
}

static bool evaluate_literal(struct evaluation *evaluation, const struct node *node,
                             struct value *ret_value)
{
    (void)evaluation;
    *ret_value = node->literal;
    return true;
}

static bool evaluate_variable(struct evaluation *evaluation, const struct node *node,
                              struct value *ret_value)
{
    *ret_value = evaluation->variable[node->variable];
    return true;
}

static bool evaluate_list(struct evaluation *evaluation, const struct node *node,
                          struct value *ret_value)
{
    struct value *const items =
        evaluation_alloc(evaluation, node->operand_count * sizeof(struct value));
    if (items == NULL) return false;
    for (size_t i = 0; i < node->operand_count; i++) {
        if (!node_evaluate(evaluation, node->operand[i], &items[i])) return false;
    }
    *ret_value = (struct value){
        .kind = VALUE_LIST, .list = {items, node->operand_count}
    };
    return true;
}

/* ---- paths ---- */

/* What is missing reads as null; *ret_found tells it from a null that is there. */
static bool find_member(struct evaluation *evaluation, const struct value *base, struct bytes name,
                        struct value *ret_value, bool *ret_found)
{
    *ret_value = value_null();
    *ret_found = false;
    if (base->kind != VALUE_OBJECT) return true;
    const struct json_view *view = NULL;
    if (!evaluation_view(evaluation, base, &view)) return false;
    const struct json_view *const member = json_view_member_bytes(view, name);
    *ret_found = member != NULL;
    if (member != NULL) *ret_value = value_of_view(member);
    return evaluation_spend(evaluation, view->count);
}

static bool find_item(struct evaluation *evaluation, const struct value *base, int64_t index,
                      struct value *ret_value, bool *ret_found)
{
    *ret_value = value_null();
    *ret_found = false;
    if (base->kind != VALUE_LIST || index < 0) return true;
    if (base->text.data == NULL) {
        *ret_found = (uint64_t)index < base->list.count;
        if (*ret_found) *ret_value = base->list.items[index];
        return true;
    }
    const struct json_view *view = NULL;
    if (!evaluation_view(evaluation, base, &view)) return false;
    const struct json_view *const item = json_view_item(view, (size_t)index);
    *ret_found = item != NULL;
    if (item == NULL) return true;
    *ret_value = value_of_view(item);
    return evaluation_spend(evaluation, (size_t)index);
}

static bool find_at(struct evaluation *evaluation, const struct value *base,
                    const struct value *key, struct value *ret_value, bool *ret_found)
{
    if (key->kind == VALUE_STRING) {
        return find_member(evaluation, base, key->string, ret_value, ret_found);
    }
    if (key->kind == VALUE_INT) {
        return find_item(evaluation, base, key->integer, ret_value, ret_found);
    }
    *ret_value = value_null();
    *ret_found = false;
    if (key->kind == VALUE_NULL) return true;
    return evaluation_fail(evaluation, "`[]` needs an integer or a string, not %s",
                           key->kind == VALUE_DOUBLE ? "a double: use int()"
                                                     : value_kind_name(key));
}

/* A node that is a path: a name, or something below another value. */
static bool find_path(struct evaluation *evaluation, const struct node *node,
                      struct value *ret_value, bool *ret_found)
{
    struct value base;
    struct value key;
    if (node->kind != NODE_MEMBER && node->kind != NODE_INDEX) {
        if (!node_evaluate(evaluation, node, ret_value)) return false;
        *ret_found = ret_value->kind != VALUE_NULL;
        return true;
    }
    if (!node_evaluate(evaluation, node->operand[0], &base)) return false;
    if (node->kind == NODE_MEMBER) {
        return find_member(evaluation, &base, node->name, ret_value, ret_found);
    }
    if (!node_evaluate(evaluation, node->operand[1], &key)) return false;
    return find_at(evaluation, &base, &key, ret_value, ret_found);
}

static bool evaluate_path(struct evaluation *evaluation, const struct node *node,
                          struct value *ret_value)
{
    bool found = false;
    return find_path(evaluation, node, ret_value, &found);
}

static bool evaluate_has(struct evaluation *evaluation, const struct node *node,
                         struct value *ret_value)
{
    struct value ignored;
    bool found = false;
    if (!find_path(evaluation, node->operand[0], &ignored, &found)) return false;
    *ret_value = value_boolean(found);
    return true;
}

/* ---- operators ---- */

static bool evaluate_not(struct evaluation *evaluation, const struct node *node,
                         struct value *ret_value)
{
    bool holds = false;
    if (!evaluate_condition(evaluation, node->operand[0], &holds)) return false;
    *ret_value = value_boolean(!holds);
    return true;
}

static bool evaluate_negate(struct evaluation *evaluation, const struct node *node,
                            struct value *ret_value)
{
    struct value value;
    return node_evaluate(evaluation, node->operand[0], &value) &&
           value_negate(evaluation, &value, ret_value);
}

/* `&&` ends with the first false, `||` with the first true. */
static bool evaluate_logic(struct evaluation *evaluation, const struct node *node,
                           struct value *ret_value)
{
    bool holds = false;
    if (!evaluate_condition(evaluation, node->operand[0], &holds)) return false;
    if (holds == (node->kind == NODE_AND) &&
        !evaluate_condition(evaluation, node->operand[1], &holds)) {
        return false;
    }
    *ret_value = value_boolean(holds);
    return true;
}

static bool evaluate_default(struct evaluation *evaluation, const struct node *node,
                             struct value *ret_value)
{
    if (!node_evaluate(evaluation, node->operand[0], ret_value)) return false;
    return ret_value->kind != VALUE_NULL || node_evaluate(evaluation, node->operand[1], ret_value);
}

static bool evaluate_choice(struct evaluation *evaluation, const struct node *node,
                            struct value *ret_value)
{
    bool holds = false;
    return evaluate_condition(evaluation, node->operand[0], &holds) &&
           node_evaluate(evaluation, node->operand[holds ? 1 : 2], ret_value);
}

static bool evaluate_binary(struct evaluation *evaluation, const struct node *node,
                            struct value *ret_value)
{
    struct value left;
    struct value right;
    return node_evaluate(evaluation, node->operand[0], &left) &&
           node_evaluate(evaluation, node->operand[1], &right) &&
           node->apply(evaluation, &left, &right, ret_value);
}

static bool evaluate_call(struct evaluation *evaluation, const struct node *node,
                          struct value *ret_value)
{
    struct value arguments[ARGUMENTS_MAX];
    for (size_t i = 0; i < node->operand_count; i++) {
        if (!node_evaluate(evaluation, node->operand[i], &arguments[i])) return false;
    }
    return node->call(evaluation, arguments, ret_value);
}

/* ---- the table ---- */

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than NODE_DEPTH_MAX */
bool node_evaluate(struct evaluation *evaluation, const struct node *node, struct value *ret_value)
{
    static const struct {
        bool (*evaluate)(struct evaluation *, const struct node *, struct value *);
        size_t units;
    } KINDS[NODE_KIND_COUNT] = {
        [NODE_LITERAL] = {evaluate_literal,  UNITS_OF_LEAF      },
        [NODE_NAME] = {evaluate_name,     UNITS_OF_LEAF      },
        [NODE_VARIABLE] = {evaluate_variable, UNITS_OF_LEAF      },
        [NODE_LIST] = {evaluate_list,     UNITS_PER_OPERATION},
        [NODE_MEMBER] = {evaluate_path,     UNITS_PER_OPERATION},
        [NODE_INDEX] = {evaluate_path,     UNITS_PER_OPERATION},
        [NODE_HAS] = {evaluate_has,      UNITS_PER_OPERATION},
        [NODE_NOT] = {evaluate_not,      UNITS_PER_OPERATION},
        [NODE_NEGATE] = {evaluate_negate,   UNITS_PER_OPERATION},
        [NODE_AND] = {evaluate_logic,    UNITS_PER_OPERATION},
        [NODE_OR] = {evaluate_logic,    UNITS_PER_OPERATION},
        [NODE_DEFAULT] = {evaluate_default,  UNITS_PER_OPERATION},
        [NODE_CHOICE] = {evaluate_choice,   UNITS_PER_OPERATION},
        [NODE_BINARY] = {evaluate_binary,   UNITS_PER_OPERATION},
        [NODE_CALL] = {evaluate_call,     UNITS_PER_OPERATION},
        [NODE_MACRO] = {macro_run,         UNITS_PER_OPERATION},
    };

    return evaluation_spend(evaluation, KINDS[node->kind].units) &&
           KINDS[node->kind].evaluate(evaluation, node, ret_value);
}
