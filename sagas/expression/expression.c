#include "sagas/expression/expression.h"

#include "sagas/expression/complaint.h"
#include "sagas/expression/node.h"
#include "sagas/expression/parser.h"

bool expression_compile(struct bytes source, const struct expression_names *names,
                        struct arena *arena, const struct expression **ret_expression,
                        struct expression_error *ret_error)
{
    if (source.size > EXPRESSION_SOURCE_MAX) {
        return complain(ret_error, "is longer than %d KiB: split it", EXPRESSION_SOURCE_MAX / 1024);
    }
    const char *const start = source.data == NULL ? "" : source.data;
    struct parser parser = {
        .lexer = {.at = start, .end = start + source.size, .arena = arena, .error = ret_error},
        .names = names,
    };
    const struct node *root = NULL;
    if (!expression_parse(&parser, &root)) return false;
    struct expression *const expression = arena_alloc(arena, sizeof(*expression));
    expression->root = root;
    expression->uses_names = parser.uses_names;
    *ret_expression = expression;
    return true;
}

bool expression_is_constant_false(const struct expression *expression)
{
    static const struct expression_values NO_VALUES = {.index = 0};

    if (expression->uses_names) return false;
    struct arena arena = {0};
    struct evaluation evaluation;
    struct expression_error error;
    evaluation_init(&evaluation, &NO_VALUES, &arena, &error);
    struct value value;
    bool holds = true;
    const bool decided = node_evaluate(&evaluation, expression->root, &value) &&
                         value_condition(&evaluation, &value, &holds);
    arena_done(&arena);
    return decided && !holds;
}

bool expression_evaluate(const struct expression *expression,
                         const struct expression_values *values, struct arena *arena,
                         struct bytes *ret_json, struct expression_error *ret_error)
{
    struct evaluation evaluation;
    evaluation_init(&evaluation, values, arena, ret_error);
    struct value value;
    if (!node_evaluate(&evaluation, expression->root, &value)) return false;
    return value_result(&evaluation, &value, ret_json);
}

bool json_scalar_text(struct bytes json, struct arena *arena, struct bytes *ret_text)
{
    const struct json_view *view = NULL;
    struct json_error error;
    if (!json_view_parse(json, arena, &view, &error)) return false;
    if (view->type == VIEW_NULL || view->type == VIEW_ARRAY || view->type == VIEW_OBJECT) {
        return false;
    }
    *ret_text = view->type == VIEW_STRING ? view->string : view->text;
    return true;
}
