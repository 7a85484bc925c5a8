/*
 * sagas/schema/rule.h
 *   A compiled schema: nodes of rules. For the files of sagas/schema/ only.
 *
 * A node is one schema: all its rules must hold. A rule is what one keyword says, or what several
 * say together (`properties` and its neighbours, `items` and `prefixItems`, `contains`, `if`).
 */
#ifndef SAGAS_SCHEMA_RULE_H
#define SAGAS_SCHEMA_RULE_H

#include "sagas/schema/number.h"
#include "sagas/schema/pattern.h"
#include "sagas/schema/schema.h"

enum {
    SCHEMA_IN_PLACE_MAX = 64, /* schemas that speak of the same value, one inside the other */
    SCHEMA_DEPTH_MAX = 1000,  /* schemas inside each other while a value is checked */
};

/* Bits by enum json_view_type. */
#define IS(type) (1U << (type))
enum {
    IS_NUMBER = IS(VIEW_NUMBER),
    IS_STRING = IS(VIEW_STRING),
    IS_ARRAY = IS(VIEW_ARRAY),
    IS_OBJECT = IS(VIEW_OBJECT),
    IS_BOOLEAN = IS(VIEW_FALSE) | IS(VIEW_TRUE),
    IS_ANY = IS(VIEW_NULL) | IS_BOOLEAN | IS_NUMBER | IS_STRING | IS_ARRAY | IS_OBJECT,
    IS_WHOLE = IS(VIEW_OBJECT + 1), /* a number without a fraction */
};

struct check;
struct rule;
struct place;

/* False: a fault was told, unless nobody wants to hear. */
typedef bool rule_check(struct check *check, const struct rule *rule, const struct place *place);

struct node {
    const struct rule *rules;
    unsigned types;  /* what `type` allows; IS_ANY without it */
    bool never;      /* `false`: nothing fits */
    uint8_t visit;   /* while loops are looked for */
    uint16_t height; /* nodes that speak of the same value, from here down */
};

struct schema {
    const struct node *root;
};

struct values {
    const struct json_view **value;
    size_t count;
};

/* Ordered by name. */
struct named_node {
    struct bytes name;
    const struct node *node;
};

struct pattern_node {
    const struct pattern *pattern;
    const struct node *node;
};

struct members {
    struct named_node *named;
    size_t named_count;
    struct pattern_node *patterns;
    size_t pattern_count;
    const struct node *rest; /* `additionalProperties`; NULL: anything */
};

struct items {
    const struct node **prefix;
    size_t prefix_count;
    const struct node *rest; /* NULL: anything */
};

struct contains {
    const struct node *node; /* NULL: not said, the counts mean nothing */
    uint64_t least, most;
};

/* Names that are wanted once `name` is there. */
struct wanted {
    struct bytes name;
    const struct bytes *names;
    size_t count;
};

struct rule {
    const struct rule *next;
    rule_check *check;
    unsigned applies; /* to values of these types */
    bool in_place;    /* `nodes` speak of the same value */
    size_t node_count;
    const struct node **nodes;
    union {
        unsigned types;
        struct values values;
        struct number number;
        uint64_t count;
        const struct pattern *pattern;
        struct {
            const struct bytes *names; /* dependentSchemas: one for each node */
            size_t name_count;
        };
        struct {
            const struct wanted *wanted;
            size_t wanted_count;
        };
        struct members *members;
        struct items *items;
        struct contains *contains;
    };
};

/* check.c, by keyword */
rule_check check_type, check_values, check_minimum, check_maximum, check_above, check_below,
    check_multiple, check_min_length, check_max_length, check_pattern, check_items, check_min_items,
    check_max_items, check_unique, check_contains, check_members, check_required, check_names,
    check_min_members, check_max_members, check_wanted, check_dependent, check_all, check_any,
    check_one, check_not, check_condition;

#endif
