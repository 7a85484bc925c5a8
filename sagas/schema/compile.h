/*
 * sagas/schema/compile.h
 *   What the files of the compilation share: compile.c (schemas), keywords.c (what each keyword
 *   says), links.c ($ref, and loops). For them only.
 */
#ifndef SAGAS_SCHEMA_COMPILE_H
#define SAGAS_SCHEMA_COMPILE_H

#include "sagas/schema/rule.h"

/* Where in the text a node stands. */
struct origin {
    const struct json_view *view;
    struct node *node;
};

/* A $ref; resolved once all nodes are there. */
struct link {
    struct link *next;
    const struct json_view *view;
    struct node *from;
    const struct node **to;
};

struct compilation {
    const struct schema_compiler *given;
    const struct json_view *root;
    size_t used_before; /* of the arena */
    size_t errors;
    bool is_full;
    struct origin *origins;
    size_t origin_count, origin_room;
    struct link *links;
};

/* A node while its keywords are read; rules that several keywords share are kept at hand. */
struct building {
    struct compilation *compilation;
    const struct json_view *schema;
    struct node *node;
    const struct rule **end;
    struct rule *members, *items, *contains, *condition;
};

/* compile.c */
const struct node *compile_node(struct compilation *compilation, const struct json_view *view);
struct rule *add_rule(struct building *building, rule_check *check, unsigned applies);
/* True while there is room for `size` further bytes; else an error, told once. */
bool has_room(struct compilation *compilation, const struct json_view *at, size_t size);
__attribute__((format(printf, 3, 4))) bool
schema_error(struct compilation *compilation, const struct json_view *at, const char *format, ...);
__attribute__((format(printf, 3, 4))) void schema_warning(struct compilation *compilation,
                                                          const struct json_view *at,
                                                          const char *format, ...);
void *keep(struct compilation *compilation, size_t count, size_t size);

/* keywords.c */
void read_keyword(struct building *building, const struct json_view *value);

/* links.c: every $ref finds its node, and no value is gone round in circles with. */
void resolve_links(struct compilation *compilation);
void look_for_loops(struct compilation *compilation);

#endif
