/*
 * sagas/schema/keyword.h
 *   One keyword and who reads it: keywords.c (the table, and schemas inside schemas),
 *   keyword_values.c (numbers, texts, types, values), keyword_members.c (lists and objects). For
 *   them only.
 */
#ifndef SAGAS_SCHEMA_KEYWORD_H
#define SAGAS_SCHEMA_KEYWORD_H

#include "sagas/schema/compile.h"

struct keyword;

typedef void keyword_reader(struct building *building, const struct json_view *value,
                            const struct keyword *keyword);

struct keyword {
    const char *name;
    keyword_reader *read;
    unsigned applies;  /* of the rule; of an annotation: what it may be */
    rule_check *check; /* of the rule; NULL where the reader knows by itself */
};

/* keywords.c: the value has one of these types, else an error that says what it must be. */
bool keyword_expects(struct building *building, const struct json_view *value, unsigned types,
                     const char *what);

/* keyword_values.c */
keyword_reader keyword_number, keyword_count, keyword_pattern, keyword_type, keyword_enum,
    keyword_const;
/* False, told: no whole number of at least 0. */
bool keyword_whole(struct building *building, const struct json_view *value, uint64_t *ret_count);
/* NULL, told: no pattern, or no room for it. */
const struct pattern *keyword_regex(struct compilation *compilation, const struct json_view *at,
                                    struct bytes source);

/* keyword_members.c */
keyword_reader keyword_items, keyword_prefix, keyword_contains, keyword_contains_count,
    keyword_unique;
keyword_reader keyword_properties, keyword_pattern_properties, keyword_rest;
keyword_reader keyword_required, keyword_wanted, keyword_dependent;

#endif
