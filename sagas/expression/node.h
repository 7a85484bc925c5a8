/*
 * sagas/expression/node.h
 *   A compiled expression: a tree that nobody changes any more.
 */
#ifndef SAGAS_EXPRESSION_NODE_H
#define SAGAS_EXPRESSION_NODE_H

#include "sagas/expression/evaluation.h"

enum {
    NODE_DEPTH_MAX = 256, /* of the tree: chains such as a + b + c lean to the left */
    ARGUMENTS_MAX = 2,
};

enum node_kind {
    NODE_LITERAL,
    NODE_NAME,     /* a root: input, saga.id, steps.x.output, ... */
    NODE_VARIABLE, /* of a macro */
    NODE_LIST,
    NODE_MEMBER, /* a.b, a['b'] */
    NODE_INDEX,  /* a[b] */
    NODE_HAS,
    NODE_NOT,
    NODE_NEGATE,
    NODE_AND,
    NODE_OR,
    NODE_DEFAULT, /* ?? */
    NODE_CHOICE,  /* a ? b : c */
    NODE_BINARY,
    NODE_CALL,
    NODE_MACRO,
    NODE_KIND_COUNT,
};

enum root {
    ROOT_INPUT,
    ROOT_ITEM,
    ROOT_INDEX,
    ROOT_OUTPUT,
    ROOT_STEP_OUTPUT,
    ROOT_STEP_ERROR,
    ROOT_STEP_STATE,
    ROOT_SAGA_ID,
    ROOT_SAGA_NAME,
    ROOT_SAGA_VERSION,
    ROOT_SAGA_STARTED_AT,
    ROOT_SAGA_LABELS,
};

/* An operator with two operands that are always both evaluated. */
typedef bool operator_apply(struct evaluation *evaluation, const struct value *left,
                            const struct value *right, struct value *ret_value);

/* `x.contains(y)` is called with x as the first argument. */
typedef bool function_apply(struct evaluation *evaluation, const struct value *arguments,
                            struct value *ret_value);

struct macro;

struct node {
    enum node_kind kind;
    uint16_t depth;    /* 1: no operands */
    uint16_t variable; /* NODE_VARIABLE, NODE_MACRO: place in evaluation.variable */
    uint32_t operand_count;
    const struct node *const *operand;
    union {
        struct value literal;
        struct bytes name; /* NODE_MEMBER */
        struct {
            enum root root;
            uint32_t step;
        };
        operator_apply *apply;
        function_apply *call;
        const struct macro *macro;
    };
};

struct expression {
    const struct node *root;
    bool uses_names; /* false: always the same value */
};

bool node_evaluate(struct evaluation *evaluation, const struct node *node, struct value *ret_value);

/* A value as a condition: null is false, any other non-boolean an error. */
bool value_condition(struct evaluation *evaluation, const struct value *value, bool *ret_holds);

#endif
