/*
 * sagas/schema/number.h
 *   JSON numbers as rules.md has them: int64, or double where that is not enough.
 *
 * Whether a number is whole, and whether it is a multiple of another, is decided on the decimal
 * digits: 4.35 is a multiple of 0.01 although no double says so.
 */
#ifndef SAGAS_SCHEMA_NUMBER_H
#define SAGAS_SCHEMA_NUMBER_H

#include "sagas/base/json_view.h"

struct number {
    struct bytes text;
    bool is_int;
    int64_t whole; /* where is_int */
    double value;  /* the nearest double; infinite beyond their range */
};

/* `view` is a VIEW_NUMBER; its text is borrowed. */
struct number number_of(const struct json_view *view, struct arena *arena);
/* <0, 0 or >0. */
int number_compare(const struct number *a, const struct number *b);
/* 1, 1.0 and 1e3 are whole. */
bool number_is_whole(struct bytes text);
/* `divisor` is more than 0. */
bool number_is_multiple(const struct number *a, const struct number *divisor);

#endif
