/*
 * sagas/definition/members.h
 *   Objects of a definition as tables: one row a member.
 *
 * A row says how a member is called, how it is read and checked, and where it goes. An unknown
 * member is an error that names the nearest known one.
 */
#ifndef SAGAS_DEFINITION_MEMBERS_H
#define SAGAS_DEFINITION_MEMBERS_H

#include "sagas/definition/draft.h"

struct member;

/* Check `value` and put it at `member->field` of `object`; report what is wrong. */
typedef void member_reader(struct draft *draft, const struct json_view *value,
                           const struct member *member, void *object);

enum need { OPTIONAL, REQUIRED };

struct limits {
    int64_t low, high;        /* of a count, or of the characters of a text */
    const char *const *words; /* of read_word: NULL-terminated, in the order of the enum */
    const char *later;        /* why this version does not run it; NULL: it does */
};

struct member {
    const char *name;
    enum need need;
    member_reader *read;
    size_t field; /* offset in the object; 0 where the reader knows by itself */
    struct limits limits;
};

struct shape {
    const char *what; /* "a step" */
    const struct member *members;
    size_t count;
    bool tool_members; /* `x-...` is let through */
};

#define FIELD(object, name) offsetof(struct object, name)

/* Read all members of `view`; false when it is no object. */
bool read_shape(struct draft *draft, const struct json_view *view, const struct shape *shape,
                void *object);

/* ---- readers, and the type of their field ---- */

member_reader read_view;       /* const struct json_view *: kept as it is */
member_reader read_text;       /* struct bytes */
member_reader read_ident;      /* struct bytes */
member_reader read_duration;   /* uint64_t, ms, more than 0 */
member_reader read_count;      /* uint32_t */
member_reader read_flag;       /* bool */
member_reader read_word;       /* an enum, or unsigned */
member_reader read_expression; /* const struct expression *: exactly one `${...}` */
member_reader read_template;   /* const struct template *: any JSON */
member_reader read_schema;     /* const struct schema *: JSON Schema 2020-12 */
member_reader read_nothing;    /* no field: a string for people and tools */

/* ---- for readers elsewhere ---- */

/* False and an error when `view` is not of `type`. `what`: "a list of step ids". */
bool expect_type(struct draft *draft, const struct json_view *view, enum json_view_type type,
                 const char *what);
/* False and an error when `view` is no string in the form of a name. */
bool expect_ident(struct draft *draft, const struct json_view *view);
bool is_ident(struct bytes text);
extern const char IDENT_RULE[]; /* "names are ..." */
/* Characters, not bytes. */
size_t text_length(struct bytes text);
bool has_controls(struct bytes text);
void pending_add(struct draft *draft, struct pending pending);

#endif
