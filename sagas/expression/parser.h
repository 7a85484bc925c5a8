/*
 * sagas/expression/parser.h
 *   Text to tree, with every check that can be made before there are values.
 */
#ifndef SAGAS_EXPRESSION_PARSER_H
#define SAGAS_EXPRESSION_PARSER_H

#include "sagas/expression/lexer.h"
#include "sagas/expression/node.h"

/* A macro's variable, innermost first. */
struct variable {
    struct bytes name;
    uint16_t place;
    const struct variable *outer;
};

struct parser {
    struct lexer lexer;
    const struct expression_names *names;
    const struct variable *variables;
    size_t nesting;
    bool uses_names;
};

bool expression_parse(struct parser *parser, const struct node **ret_node);

/* ---- shared by parser.c and names.c ---- */

/* Complain about the current token; returns false. */
bool parser_expected(struct parser *parser, const char *what);

/* A new node over `count` operands; NULL with the error filled when the tree gets too deep. */
struct node *parser_node(struct parser *parser, enum node_kind kind,
                         const struct node *const *operands, size_t count);

/* The current token is a name that no `(` follows: what does it stand for? names.c */
bool parse_name(struct parser *parser, struct bytes name, const struct node **ret_node);

#endif
