#include "sagas/expression/parser.h"

#include "sagas/expression/complaint.h"
#include "sagas/expression/functions.h"
#include "sagas/expression/operators.h"

#include <assert.h>
#include <string.h>

/* NOLINTBEGIN(misc-no-recursion): no deeper than EXPRESSION_NESTING_MAX */

struct infix {
    enum token_kind token;
    const char *word; /* where the token is a name */
    int level;        /* higher binds tighter; all lean to the left */
    enum node_kind kind;
    operator_apply *apply;
};

/* `??` binds tighter than comparisons and looser than arithmetic: `a ?? 0 > 3` asks what it reads.
 */
static const struct infix INFIXES[] = {
    {TOKEN_OR,            NULL, 1, NODE_OR,      NULL               },
    {TOKEN_AND,           NULL, 2, NODE_AND,     NULL               },
    {TOKEN_EQUAL,         NULL, 3, NODE_BINARY,  apply_equal        },
    {TOKEN_UNEQUAL,       NULL, 3, NODE_BINARY,  apply_unequal      },
    {TOKEN_LESS,          NULL, 3, NODE_BINARY,  apply_less         },
    {TOKEN_LESS_EQUAL,    NULL, 3, NODE_BINARY,  apply_less_equal   },
    {TOKEN_GREATER,       NULL, 3, NODE_BINARY,  apply_greater      },
    {TOKEN_GREATER_EQUAL, NULL, 3, NODE_BINARY,  apply_greater_equal},
    {TOKEN_NAME,          "in", 3, NODE_BINARY,  apply_in           },
    {TOKEN_DEFAULT,       NULL, 4, NODE_DEFAULT, NULL               },
    {TOKEN_PLUS,          NULL, 5, NODE_BINARY,  apply_add          },
    {TOKEN_MINUS,         NULL, 5, NODE_BINARY,  apply_subtract     },
    {TOKEN_TIMES,         NULL, 6, NODE_BINARY,  apply_multiply     },
    {TOKEN_DIVIDE,        NULL, 6, NODE_BINARY,  apply_divide       },
    {TOKEN_MODULO,        NULL, 6, NODE_BINARY,  apply_modulo       },
};

static bool parse_expression(struct parser *parser, const struct node **ret_node);
static bool parse_unary(struct parser *parser, const struct node **ret_node);

/* ---- tokens ---- */

bool parser_expected(struct parser *parser, const char *what)
{
    const struct token *const token = &parser->lexer.token;
    if (token->kind == TOKEN_END) {
        return complain(parser->lexer.error, "%s is expected at the end", what);
    }
    return complain(parser->lexer.error, "%s is expected, not `%.*s`", what, SHOWN(token->text));
}

static bool at(const struct parser *parser, enum token_kind kind)
{
    return parser->lexer.token.kind == kind;
}

static bool skip(struct parser *parser, enum token_kind kind, const char *what)
{
    return at(parser, kind) ? lexer_next(&parser->lexer) : parser_expected(parser, what);
}

static bool enter(struct parser *parser)
{
    if (++parser->nesting <= EXPRESSION_NESTING_MAX) return true;
    return complain(parser->lexer.error, "is nested deeper than %d levels: split it",
                    EXPRESSION_NESTING_MAX);
}

/* ---- nodes ---- */

struct node *parser_node(struct parser *parser, enum node_kind kind,
                         const struct node *const *operands, size_t count)
{
    assert(count == 0 || operands != NULL);
    uint16_t depth = 0;
    for (size_t i = 0; i < count; i++) {
        if (operands[i]->depth > depth) depth = operands[i]->depth;
    }
    if (depth >= NODE_DEPTH_MAX) {
        complain(parser->lexer.error, "chains more than %d operators: split it", NODE_DEPTH_MAX);
        return NULL;
    }
    struct arena *const arena = parser->lexer.arena;
    struct node *const node = arena_alloc(arena, sizeof(*node));
    const struct node **const copy = arena_array(arena, count, sizeof(const struct node *));
    for (size_t i = 0; i < count; i++) {
        copy[i] = operands[i];
    }
    node->kind = kind;
    node->depth = (uint16_t)(depth + 1);
    node->operand = copy;
    node->operand_count = (uint32_t)count;
    return node;
}

static bool literal(struct parser *parser, struct value value, const struct node **ret_node)
{
    struct node *const node = parser_node(parser, NODE_LITERAL, NULL, 0);
    assert(node != NULL);
    node->literal = value;
    *ret_node = node;
    return lexer_next(&parser->lexer);
}

/* ---- what stands alone ---- */

static bool parse_number(struct parser *parser, const struct node **ret_node)
{
    const struct token *const token = &parser->lexer.token;
    if (token->kind == TOKEN_DOUBLE) {
        struct value value = value_double_of(token->number);
        value.text = bytes_copy(parser->lexer.arena, token->text);
        return literal(parser, value, ret_node);
    }
    if (token->magnitude > INT64_MAX) {
        return complain(parser->lexer.error, "the integer `%.*s` does not fit into 64 bits",
                        SHOWN(token->text));
    }
    return literal(parser, value_int((int64_t)token->magnitude), ret_node);
}

/* Nodes in a row that grows in the arena. */
struct row {
    const struct node **nodes;
    size_t count;
    size_t capacity;
};

static const struct node **row_add(struct row *row, struct arena *arena)
{
    enum { CAPACITY_MIN = 8 };

    if (row->count == row->capacity) {
        row->capacity = row->capacity == 0 ? CAPACITY_MIN : row->capacity * 2;
        const struct node **const nodes =
            arena_array(arena, row->capacity, sizeof(const struct node *));
        if (row->count > 0) memcpy(nodes, row->nodes, row->count * sizeof(const struct node *));
        row->nodes = nodes;
    }
    return &row->nodes[row->count++];
}

/* Items of a list, or nothing, up to `]`. */
static bool parse_list(struct parser *parser, const struct node **ret_node)
{
    struct row items = {0};
    if (!lexer_next(&parser->lexer)) return false;
    while (!at(parser, TOKEN_CLOSE_LIST)) {
        if (items.count > 0 && !skip(parser, TOKEN_COMMA, "`,` or `]`")) return false;
        const struct node *item = NULL;
        if (!parse_expression(parser, &item)) return false;
        *row_add(&items, parser->lexer.arena) = item;
    }
    *ret_node = parser_node(parser, NODE_LIST, items.nodes, items.count);
    return *ret_node != NULL && lexer_next(&parser->lexer);
}

static bool parse_parentheses(struct parser *parser, const struct node **ret_node)
{
    return lexer_next(&parser->lexer) && parse_expression(parser, ret_node) &&
           skip(parser, TOKEN_CLOSE, "`)`");
}

/* ---- calls ---- */

/*
 * Arguments from `(` to `)`, behind the `given` ones that are there already. The current token is
 * behind `(`.
 */
static bool parse_arguments(struct parser *parser, struct bytes name, size_t needed,
                            const struct node **arguments, size_t given)
{
    size_t count = given;
    for (; !at(parser, TOKEN_CLOSE); count++) {
        if (count == needed) break;
        if (count > given && !skip(parser, TOKEN_COMMA, "`,` or `)`")) return false;
        if (!parse_expression(parser, &arguments[count])) return false;
    }
    if (count == needed && at(parser, TOKEN_CLOSE)) return lexer_next(&parser->lexer);
    return complain(parser->lexer.error, "`%.*s` takes %zu argument%s", SHOWN(name), needed - given,
                    needed - given == 1 ? "" : "s");
}

static bool parse_has(struct parser *parser, const struct node **ret_node)
{
    const struct node *path = NULL;
    if (!parse_arguments(parser, BYTES("has"), 1, &path, 0)) return false;
    if (path->kind != NODE_MEMBER && path->kind != NODE_INDEX && path->kind != NODE_NAME &&
        path->kind != NODE_VARIABLE) {
        return complain(parser->lexer.error, "`has` takes a path such as input.order_id");
    }
    *ret_node = parser_node(parser, NODE_HAS, &path, 1);
    return *ret_node != NULL;
}

static bool parse_call(struct parser *parser, struct bytes name, const struct node **ret_node)
{
    const struct node *arguments[ARGUMENTS_MAX];
    if (!lexer_next(&parser->lexer)) return false;
    if (bytes_equal_text(name, "has")) return parse_has(parser, ret_node);
    const struct function *const function = function_find(name);
    if (function == NULL) {
        return complain(parser->lexer.error,
                        "there is no function `%.*s`: has size string int double are known",
                        SHOWN(name));
    }
    if (!parse_arguments(parser, name, function->argument_count, arguments, 0)) return false;
    struct node *const node = parser_node(parser, NODE_CALL, arguments, function->argument_count);
    if (node == NULL) return false;
    node->call = function->apply;
    *ret_node = node;
    return true;
}

static bool parse_method(struct parser *parser, struct bytes name, const struct node **ret_node)
{
    const struct function *const method = method_find(name);
    if (method == NULL) {
        return complain(parser->lexer.error,
                        "there is no method `%.*s`: contains startsWith endsWith lower upper join "
                        "all exists filter map are known",
                        SHOWN(name));
    }
    const struct node *arguments[ARGUMENTS_MAX] = {*ret_node};
    if (!parse_arguments(parser, name, method->argument_count, arguments, 1)) return false;
    struct node *const node = parser_node(parser, NODE_CALL, arguments, method->argument_count);
    if (node == NULL) return false;
    node->call = method->apply;
    *ret_node = node;
    return true;
}

static bool may_be_variable(struct bytes name)
{
    static const char *const TAKEN[] = {"input", "steps", "saga", "true", "false", "null", "in"};

    for (size_t i = 0; i < sizeof(TAKEN) / sizeof(TAKEN[0]); i++) {
        if (bytes_equal_text(name, TAKEN[i])) return false;
    }
    return true;
}

/* `x, body)` of a macro. */
static bool parse_macro_body(struct parser *parser, struct variable *variable,
                             const struct node **ret_body)
{
    const struct token token = parser->lexer.token;
    if (token.kind != TOKEN_NAME || !may_be_variable(token.text)) {
        return parser_expected(parser, "a name for the item, as in map(x, x.sku),");
    }
    variable->name = token.text;
    variable->place = variable->outer == NULL ? 0 : (uint16_t)(variable->outer->place + 1);
    if (variable->place >= VARIABLES_MAX) {
        return complain(parser->lexer.error, "more than %d macros are inside each other",
                        VARIABLES_MAX);
    }
    if (!lexer_next(&parser->lexer)) return false;
    if (!skip(parser, TOKEN_COMMA, "`,` and an expression")) return false;
    parser->variables = variable;
    if (!parse_expression(parser, ret_body)) return false;
    parser->variables = variable->outer;
    return skip(parser, TOKEN_CLOSE, "`)`");
}

static bool parse_macro(struct parser *parser, const struct macro *macro,
                        const struct node **ret_node)
{
    struct variable variable = {.outer = parser->variables};
    const struct node *operands[2] = {*ret_node};
    if (!parse_macro_body(parser, &variable, &operands[1])) return false;
    struct node *const node = parser_node(parser, NODE_MACRO, operands, 2);
    if (node == NULL) return false;
    node->macro = macro;
    node->variable = variable.place;
    *ret_node = node;
    return true;
}

/* ---- paths ---- */

static bool wrap_member(struct parser *parser, struct bytes name, const struct node **ret_node)
{
    struct node *const node = parser_node(parser, NODE_MEMBER, ret_node, 1);
    if (node == NULL) return false;
    node->name = bytes_copy(parser->lexer.arena, name);
    *ret_node = node;
    return true;
}

/* Behind a point: a member, a method or a macro. */
static bool parse_point(struct parser *parser, const struct node **ret_node)
{
    if (!lexer_next(&parser->lexer)) return false;
    if (!at(parser, TOKEN_NAME)) return parser_expected(parser, "a name behind `.`");
    const struct bytes name = parser->lexer.token.text;
    if (!lexer_next(&parser->lexer)) return false;
    if (!at(parser, TOKEN_OPEN)) return wrap_member(parser, name, ret_node);
    if (!lexer_next(&parser->lexer)) return false;
    const struct macro *const macro = macro_find(name);
    return macro != NULL ? parse_macro(parser, macro, ret_node)
                         : parse_method(parser, name, ret_node);
}

static bool parse_index(struct parser *parser, const struct node **ret_node)
{
    const struct node *operands[2] = {*ret_node};
    if (!lexer_next(&parser->lexer) || !parse_expression(parser, &operands[1])) return false;
    if (!skip(parser, TOKEN_CLOSE_LIST, "`]`")) return false;
    if (operands[1]->kind == NODE_LITERAL && operands[1]->literal.kind == VALUE_STRING) {
        return wrap_member(parser, operands[1]->literal.string, ret_node);
    }
    *ret_node = parser_node(parser, NODE_INDEX, operands, 2);
    return *ret_node != NULL;
}

static bool parse_word(struct parser *parser, const struct node **ret_node)
{
    const struct bytes word = parser->lexer.token.text;
    if (bytes_equal_text(word, "true")) return literal(parser, value_boolean(true), ret_node);
    if (bytes_equal_text(word, "false")) return literal(parser, value_boolean(false), ret_node);
    if (bytes_equal_text(word, "null")) return literal(parser, value_null(), ret_node);
    if (bytes_equal_text(word, "in")) return parser_expected(parser, "a value");
    if (!lexer_next(&parser->lexer)) return false;
    return at(parser, TOKEN_OPEN) ? parse_call(parser, word, ret_node)
                                  : parse_name(parser, word, ret_node);
}

static bool parse_primary(struct parser *parser, const struct node **ret_node)
{
    const struct token *const token = &parser->lexer.token;
    if (token->kind == TOKEN_NAME) return parse_word(parser, ret_node);
    if (token->kind == TOKEN_INT || token->kind == TOKEN_DOUBLE) {
        return parse_number(parser, ret_node);
    }
    if (token->kind == TOKEN_STRING) return literal(parser, value_string(token->string), ret_node);
    if (token->kind == TOKEN_OPEN_LIST) return parse_list(parser, ret_node);
    if (token->kind == TOKEN_OPEN) return parse_parentheses(parser, ret_node);
    return parser_expected(parser, "a value");
}

static bool parse_postfix(struct parser *parser, const struct node **ret_node)
{
    if (!parse_primary(parser, ret_node)) return false;
    while (at(parser, TOKEN_POINT) || at(parser, TOKEN_OPEN_LIST)) {
        const bool point = at(parser, TOKEN_POINT);
        if (!(point ? parse_point : parse_index)(parser, ret_node)) return false;
    }
    return true;
}

/* ---- operators ---- */

static bool is_smallest_int(const struct parser *parser)
{
    return at(parser, TOKEN_INT) && parser->lexer.token.magnitude == (uint64_t)INT64_MAX + 1;
}

static bool parse_negation(struct parser *parser, enum node_kind kind, const struct node **ret_node)
{
    const struct node *operand = NULL;
    if (!enter(parser) || !lexer_next(&parser->lexer)) return false;
    if (kind == NODE_NEGATE && is_smallest_int(parser)) {
        parser->nesting--;
        return literal(parser, value_int(INT64_MIN), ret_node);
    }
    if (!parse_unary(parser, &operand)) return false;
    parser->nesting--;
    *ret_node = parser_node(parser, kind, &operand, 1);
    return *ret_node != NULL;
}

static bool parse_unary(struct parser *parser, const struct node **ret_node)
{
    if (at(parser, TOKEN_NOT)) return parse_negation(parser, NODE_NOT, ret_node);
    if (at(parser, TOKEN_MINUS)) return parse_negation(parser, NODE_NEGATE, ret_node);
    return parse_postfix(parser, ret_node);
}

static const struct infix *find_infix(const struct parser *parser)
{
    const struct token *const token = &parser->lexer.token;
    for (size_t i = 0; i < sizeof(INFIXES) / sizeof(INFIXES[0]); i++) {
        if (INFIXES[i].token == token->kind &&
            (INFIXES[i].word == NULL || bytes_equal_text(token->text, INFIXES[i].word))) {
            return &INFIXES[i];
        }
    }
    return NULL;
}

/* Operators of at least `level`, by precedence climbing. */
static bool parse_binary(struct parser *parser, int level, const struct node **ret_node)
{
    const struct node *operands[2];
    if (!parse_unary(parser, &operands[0])) return false;
    for (const struct infix *infix = find_infix(parser); infix != NULL && infix->level >= level;
         infix = find_infix(parser)) {
        if (!lexer_next(&parser->lexer)) return false;
        if (!parse_binary(parser, infix->level + 1, &operands[1])) return false;
        struct node *const node = parser_node(parser, infix->kind, operands, 2);
        if (node == NULL) return false;
        node->apply = infix->apply;
        operands[0] = node;
    }
    *ret_node = operands[0];
    return true;
}

static bool parse_choice(struct parser *parser, const struct node **ret_node)
{
    const struct node *operands[3] = {*ret_node};
    if (!lexer_next(&parser->lexer) || !parse_expression(parser, &operands[1])) return false;
    if (!skip(parser, TOKEN_COLON, "`:`")) return false;
    if (!parse_expression(parser, &operands[2])) return false;
    *ret_node = parser_node(parser, NODE_CHOICE, operands, 3);
    return *ret_node != NULL;
}

static bool parse_expression(struct parser *parser, const struct node **ret_node)
{
    if (!enter(parser) || !parse_binary(parser, 1, ret_node)) return false;
    if (at(parser, TOKEN_QUESTION) && !parse_choice(parser, ret_node)) return false;
    parser->nesting--;
    return true;
}

/* NOLINTEND(misc-no-recursion) */

bool expression_parse(struct parser *parser, const struct node **ret_node)
{
    if (!lexer_next(&parser->lexer)) return false;
    if (at(parser, TOKEN_END)) {
        return complain(parser->lexer.error, "the expression is empty: write a value or a path");
    }
    if (!parse_expression(parser, ret_node)) return false;
    return at(parser, TOKEN_END) || parser_expected(parser, "an operator or the end");
}
