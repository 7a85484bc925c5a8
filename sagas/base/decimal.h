/*
 * sagas/base/decimal.h
 *   Amounts as exact decimals: never a double.
 */
#ifndef SAGAS_BASE_DECIMAL_H
#define SAGAS_BASE_DECIMAL_H

#include "sagas/base/bytes.h"

enum { DECIMAL_DIGITS_MAX = 40 }; /* before the point, and after it */

/*
 * A number in the form of JSON as plain digits: "1.50e3" is "1500", "120.10" stays as it is, "-0"
 * is "0". False: it is none, or has more digits on one side of the point.
 */
bool decimal_plain(struct bytes text, struct arena *arena, struct bytes *ret_plain);

#endif
