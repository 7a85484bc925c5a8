/*
 * sagas/expression/lexer.h
 *   An expression as tokens, one ahead.
 */
#ifndef SAGAS_EXPRESSION_LEXER_H
#define SAGAS_EXPRESSION_LEXER_H

#include "sagas/base/bytes.h"
#include "sagas/expression/expression.h"

#include <stdint.h>

enum token_kind {
    TOKEN_END,
    TOKEN_NAME, /* words such as `true` and `in` as well */
    TOKEN_INT,
    TOKEN_DOUBLE,
    TOKEN_STRING,
    TOKEN_OPEN,       /* ( */
    TOKEN_CLOSE,      /* ) */
    TOKEN_OPEN_LIST,  /* [ */
    TOKEN_CLOSE_LIST, /* ] */
    TOKEN_COMMA,
    TOKEN_POINT,
    TOKEN_QUESTION,
    TOKEN_COLON,
    TOKEN_DEFAULT, /* ?? */
    TOKEN_OR,
    TOKEN_AND,
    TOKEN_NOT,
    TOKEN_EQUAL,
    TOKEN_UNEQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_EQUAL,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_TIMES,
    TOKEN_DIVIDE,
    TOKEN_MODULO,
    TOKEN_KIND_COUNT,
};

struct token {
    enum token_kind kind;
    struct bytes text;   /* in the source */
    struct bytes string; /* TOKEN_STRING: what it says, in the arena */
    uint64_t magnitude;  /* TOKEN_INT: at most 2^63, which only a minus sign makes fit */
    double number;       /* TOKEN_DOUBLE */
};

struct lexer {
    const char *at;
    const char *end;
    struct arena *arena;
    struct expression_error *error;
    struct token token; /* the current one */
};

/* Read the next token into `token`. False with the error filled when there is none. */
bool lexer_next(struct lexer *lexer);

/* The same where a step id is expected: a name that may hold hyphens. */
bool lexer_next_step_id(struct lexer *lexer);

#endif
