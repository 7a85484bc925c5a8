/*
 * sagas/expression/complaint.h
 *   Sentences about what is wrong.
 */
#ifndef SAGAS_EXPRESSION_COMPLAINT_H
#define SAGAS_EXPRESSION_COMPLAINT_H

#include "sagas/base/utf8.h"
#include "sagas/expression/expression.h"

#include <stdarg.h>

/* Fill the error; returns false. What is a control character or not UTF-8 becomes `?`. */
__attribute__((format(printf, 2, 0))) bool complain_list(struct expression_error *error,
                                                         const char *format, va_list arguments);
__attribute__((format(printf, 2, 3))) bool complain(struct expression_error *error,
                                                    const char *format, ...);

/* Arguments of `%.*s`: at most 40 bytes of `text`. */
#define SHOWN(text) (int)utf8_prefix((text), 40).size, (text).data

#endif
