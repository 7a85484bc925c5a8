/*
 * sagas/schema/program.h
 *   What a pattern is compiled to. For pattern.c and pattern_run.c only.
 */
#ifndef SAGAS_SCHEMA_PROGRAM_H
#define SAGAS_SCHEMA_PROGRAM_H

#include "sagas/base/utf8.h"

enum {
    PROGRAM_SIZE_MAX = 2000,
    RANGES_MAX = 1000,
};

enum opcode {
    TAKE_CHAR,  /* `value` is the character */
    TAKE_CLASS, /* `value` is the position of the class */
    SPLIT,      /* go to both */
    JUMP,       /* go to `left` */
    AT_START,
    AT_END,
    AT_WORD_EDGE,
    NOT_AT_WORD_EDGE,
    FOUND,
};

/* Ways are relative, so that a part can be moved and repeated as it is. */
struct instruction {
    uint8_t opcode;
    int16_t left, right;
    uint32_t value;
};

struct range {
    uint32_t low, high;
};

struct class
{
    uint32_t first, count; /* of the pattern's ranges */
    bool negated;
};

struct pattern {
    struct bytes source;
    const struct instruction *code;
    size_t size;
    const struct class *classes;
    const struct range *ranges;
};

#endif
