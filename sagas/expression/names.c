#include "sagas/expression/parser.h"

#include "sagas/expression/complaint.h"

struct part {
    const char *name;
    enum root root;
};

static const struct part STEP_PARTS[] = {
    {"output", ROOT_STEP_OUTPUT},
    {"error",  ROOT_STEP_ERROR },
    {"state",  ROOT_STEP_STATE },
    {NULL,     ROOT_INPUT      },
};

static const struct part SAGA_PARTS[] = {
    {"id",         ROOT_SAGA_ID        },
    {"name",       ROOT_SAGA_NAME      },
    {"version",    ROOT_SAGA_VERSION   },
    {"started_at", ROOT_SAGA_STARTED_AT},
    {"labels",     ROOT_SAGA_LABELS    },
    {NULL,         ROOT_INPUT          },
};

static bool root(struct parser *parser, enum root root, uint32_t step, const struct node **ret_node)
{
    struct node *const node = parser_node(parser, NODE_NAME, NULL, 0);
    if (node == NULL) return false;
    node->root = root;
    node->step = step;
    parser->uses_names = true;
    *ret_node = node;
    return true;
}

/*
 * `.name` or `['name']`, of which the first token is the current one. A step id may hold hyphens:
 * nothing can be subtracted from a step as a whole.
 */
static bool parse_part(struct parser *parser, bool (*next)(struct lexer *), const char *what,
                       struct bytes *ret_name)
{
    struct lexer *const lexer = &parser->lexer;
    const bool point = lexer->token.kind == TOKEN_POINT;
    if (!point && lexer->token.kind != TOKEN_OPEN_LIST) return parser_expected(parser, what);
    if (!(point ? next : lexer_next)(lexer)) return false;
    if (lexer->token.kind != (point ? TOKEN_NAME : TOKEN_STRING)) {
        return parser_expected(parser, what);
    }
    *ret_name = point ? lexer->token.text : lexer->token.string;
    if (!lexer_next(lexer)) return false;
    if (point) return true;
    return lexer->token.kind == TOKEN_CLOSE_LIST ? lexer_next(lexer)
                                                 : parser_expected(parser, "`]`");
}

static const struct part *find_part(const struct part *parts, struct bytes name)
{
    while (parts->name != NULL && !bytes_equal_text(name, parts->name)) {
        parts++;
    }
    return parts->name == NULL ? NULL : parts;
}

static bool find_step(struct parser *parser, struct bytes id, uint32_t *ret_step)
{
    const struct expression_names *const names = parser->names;
    for (size_t i = 0; i < names->step_count; i++) {
        if (!bytes_equal(names->step_ids[i], id)) continue;
        *ret_step = (uint32_t)i;
        if (names->step_visible != NULL && names->step_visible[i]) return true;
        return complain(parser->lexer.error,
                        "step `%.*s` cannot be read here: only steps that are sure to end before "
                        "(see depends_on)",
                        SHOWN(id));
    }
    return complain(parser->lexer.error, "there is no step `%.*s`", SHOWN(id));
}

static bool parse_step(struct parser *parser, const struct node **ret_node)
{
    struct bytes id = {0};
    struct bytes name = {0};
    uint32_t step = 0;
    if (!parse_part(parser, lexer_next_step_id, "`.` and the id of a step behind `steps`", &id)) {
        return false;
    }
    if (!find_step(parser, id, &step)) return false;
    if (!parse_part(parser, lexer_next, "`.output`, `.error` or `.state` behind a step", &name)) {
        return false;
    }
    const struct part *const part = find_part(STEP_PARTS, name);
    if (part == NULL) {
        return complain(parser->lexer.error, "a step has no `%.*s`: it has output, error and state",
                        SHOWN(name));
    }
    return root(parser, part->root, step, ret_node);
}

static bool parse_saga(struct parser *parser, const struct node **ret_node)
{
    struct bytes name = {0};
    if (!parse_part(parser, lexer_next, "`.id`, `.name`, `.version`, `.started_at` or `.labels`",
                    &name)) {
        return false;
    }
    const struct part *const part = find_part(SAGA_PARTS, name);
    if (part == NULL) {
        return complain(parser->lexer.error,
                        "saga has no `%.*s`: it has id, name, version, started_at and labels",
                        SHOWN(name));
    }
    return root(parser, part->root, 0, ret_node);
}

static bool complain_unknown(struct parser *parser, struct bytes name)
{
    static const struct {
        const char *name;
        const char *detail;
    } SOMETIMES[] = {
        {"item",   "`item` is known only in a foreach that gives it no other name by `as`"},
        {"index",  "`index` is known only in a foreach"                                   },
        {"output", "`output` is known only in a compensation; a step's is steps.ID.output"},
    };

    for (size_t i = 0; i < sizeof(SOMETIMES) / sizeof(SOMETIMES[0]); i++) {
        if (bytes_equal_text(name, SOMETIMES[i].name)) {
            return complain(parser->lexer.error, "%s", SOMETIMES[i].detail);
        }
    }
    return complain(parser->lexer.error,
                    "`%.*s` is unknown: paths begin with input, steps or saga; texts need quotes",
                    SHOWN(name));
}

bool parse_name(struct parser *parser, struct bytes name, const struct node **ret_node)
{
    const struct expression_names *const names = parser->names;
    for (const struct variable *known = parser->variables; known != NULL; known = known->outer) {
        if (!bytes_equal(known->name, name)) continue;
        struct node *const node = parser_node(parser, NODE_VARIABLE, NULL, 0);
        if (node == NULL) return false;
        node->variable = known->place;
        *ret_node = node;
        return true;
    }
    if (bytes_equal_text(name, "input")) return root(parser, ROOT_INPUT, 0, ret_node);
    if (bytes_equal_text(name, "steps")) return parse_step(parser, ret_node);
    if (bytes_equal_text(name, "saga")) return parse_saga(parser, ret_node);
    if (bytes_equal(name, names->item)) return root(parser, ROOT_ITEM, 0, ret_node);
    if (names->index && bytes_equal_text(name, "index")) {
        return root(parser, ROOT_INDEX, 0, ret_node);
    }
    if (names->output && bytes_equal_text(name, "output")) {
        return root(parser, ROOT_OUTPUT, 0, ret_node);
    }
    return complain_unknown(parser, name);
}
