#include "sagas/schema/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 18, EXPONENT_MAX = 1000000000 };

/* mantissa * 10^exponent; no zero at the end of the mantissa. */
struct decimal {
    uint64_t mantissa;
    bool exact; /* the mantissa has at most DIGITS_MAX digits; else it is of no use */
    bool zero;
    int64_t exponent;
};

struct scan {
    const char *at, *end;
};

static int64_t read_exponent(struct scan *scan)
{
    if (scan->at == scan->end || (*scan->at != 'e' && *scan->at != 'E')) return 0;
    scan->at++;
    const bool negative = *scan->at == '-';
    if (*scan->at == '-' || *scan->at == '+') scan->at++;
    int64_t exponent = 0;
    for (; scan->at < scan->end; scan->at++) {
        if (exponent < EXPONENT_MAX) exponent = exponent * 10 + (*scan->at - '0');
    }
    return negative ? -exponent : exponent;
}

/* Zeros count once a digit follows them: before it, or as one of it. */
static void add_digit(struct decimal *decimal, unsigned digit, size_t *zeros, size_t *digits)
{
    if (digit == 0) {
        ++*zeros;
        return;
    }
    const size_t more = *digits == 0 ? 1 : *zeros + 1;
    *digits += more;
    *zeros = 0;
    decimal->exact = *digits <= DIGITS_MAX;
    if (!decimal->exact) return;
    for (size_t i = 0; i < more; i++) {
        decimal->mantissa *= 10;
    }
    decimal->mantissa += digit;
}

static struct decimal decimal_of(struct bytes text)
{
    struct decimal decimal = {.exact = true};
    struct scan scan = {text.data, text.data + text.size};
    size_t zeros = 0;
    size_t digits = 0;
    int64_t after_point = 0;
    bool in_fraction = false;
    if (*scan.at == '-') scan.at++;
    for (; scan.at < scan.end && *scan.at != 'e' && *scan.at != 'E'; scan.at++) {
        if (*scan.at == '.') {
            in_fraction = true;
            continue;
        }
        after_point += in_fraction;
        add_digit(&decimal, (unsigned)(*scan.at - '0'), &zeros, &digits);
    }
    decimal.zero = digits == 0;
    decimal.exponent = read_exponent(&scan) - after_point + (int64_t)zeros;
    return decimal;
}

bool number_is_whole(struct bytes text)
{
    const struct decimal decimal = decimal_of(text);
    return decimal.zero || decimal.exponent >= 0;
}

struct number number_of(const struct json_view *view, struct arena *arena)
{
    enum { SHORT_SIZE = 64 };
    char buffer[SHORT_SIZE];
    struct number number = {.text = view->text};
    number.is_int = json_view_int64(view, &number.whole);
    if (number.is_int) {
        number.value = (double)number.whole;
        return number;
    }
    const char *text = buffer;
    if (view->text.size < SHORT_SIZE) {
        memcpy(buffer, view->text.data, view->text.size);
        buffer[view->text.size] = '\0';
    } else {
        text = arena_copy(arena, view->text.data, view->text.size);
    }
    number.value = strtod(text, NULL);
    return number;
}

int number_compare(const struct number *a, const struct number *b)
{
    if (a->is_int && b->is_int) return a->whole == b->whole ? 0 : a->whole < b->whole ? -1 : 1;
    if (a->value == b->value) return 0;
    return a->value < b->value ? -1 : 1;
}

/* a * 10^exponent modulo m, exponent >= 0, a and m below 2^63. */
static uint64_t shifted_modulo(uint64_t a, int64_t exponent, uint64_t m)
{
    uint64_t result = a % m;
    uint64_t base = 10 % m;
    for (uint64_t left = (uint64_t)exponent; left > 0; left >>= 1) {
        if (left & 1) result = (uint64_t)((unsigned __int128)result * base % m);
        base = (uint64_t)((unsigned __int128)base * base % m);
    }
    return result;
}

static bool is_multiple_of_digits(const struct decimal *a, const struct decimal *m)
{
    const int64_t shift = a->exponent - m->exponent;
    /* The digits of `a` end in none that 10 divides. */
    return shift >= 0 && shifted_modulo(a->mantissa, shift, m->mantissa) == 0;
}

bool number_is_multiple(const struct number *a, const struct number *divisor)
{
    const struct decimal value = decimal_of(a->text);
    const struct decimal by = decimal_of(divisor->text);
    if (value.zero) return true;
    if (value.exact && by.exact) return is_multiple_of_digits(&value, &by);
    if (isinf(a->value) || divisor->value == 0) return false;
    return fmod(a->value, divisor->value) == 0;
}
