#include "sagas/base/decimal.h"

#include <string.h>

enum { EXPONENT_MAX = 1000 }; /* enough to be out of range whatever the digits are */

struct number {
    bool is_negative;
    struct bytes whole, part; /* digits before and after the point */
    int exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct bytes take_digits(struct bytes *rest)
{
    struct bytes digits = {rest->data, 0};
    while (digits.size < rest->size && is_digit(rest->data[digits.size])) {
        digits.size++;
    }
    rest->data += digits.size;
    rest->size -= digits.size;
    return digits;
}

static bool take(struct bytes *rest, const char *any_of)
{
    const bool any = rest->size > 0 && rest->data[0] != '\0';
    if (!any || strchr(any_of, rest->data[0]) == NULL) return false;
    rest->data++;
    rest->size--;
    return true;
}

static bool take_exponent(struct bytes *rest, int *ret_exponent)
{
    if (!take(rest, "eE")) return true;
    const bool is_negative = take(rest, "-");
    if (!is_negative) (void)take(rest, "+");
    const struct bytes digits = take_digits(rest);
    int exponent = 0;
    for (size_t i = 0; i < digits.size && exponent < EXPONENT_MAX; i++) {
        exponent = exponent * 10 + (digits.data[i] - '0');
    }
    *ret_exponent = is_negative ? -exponent : exponent;
    return digits.size > 0;
}

static bool read_number(struct bytes text, struct number *ret_number)
{
    struct bytes rest = text;
    ret_number->is_negative = take(&rest, "-");
    ret_number->whole = take_digits(&rest);
    if (ret_number->whole.size == 0) return false;
    if (ret_number->whole.size > 1 && ret_number->whole.data[0] == '0') return false;
    if (take(&rest, ".")) {
        ret_number->part = take_digits(&rest);
        if (ret_number->part.size == 0) return false;
    }
    return take_exponent(&rest, &ret_number->exponent) && rest.size == 0;
}

/* All digits in a row, the point after the first `point` of them. */
struct digits {
    struct bytes all;
    int point;
};

static struct digits line_up(const struct number *number, struct arena *arena)
{
    struct buffer all = buffer_in(arena);
    buffer_add_bytes(&all, number->whole);
    if (number->part.data != NULL) buffer_add_bytes(&all, number->part);
    struct digits digits = {buffer_bytes(&all), (int)number->whole.size + number->exponent};
    while (digits.all.size > 0 && digits.all.data[0] == '0') {
        digits.all.data++;
        digits.all.size--;
        digits.point--;
    }
    return digits;
}

static void add_zeros(struct buffer *plain, int count)
{
    for (int i = 0; i < count; i++) {
        buffer_add_char(plain, '0');
    }
}

static void write_plain(const struct digits *digits, struct buffer *plain)
{
    const int size = (int)digits->all.size;
    const int before = digits->point < 0 ? 0 : digits->point < size ? digits->point : size;
    buffer_add(plain, digits->all.data, (size_t)before);
    add_zeros(plain, digits->point - before);
    if (digits->point <= 0) buffer_add_char(plain, '0');
    if (digits->point >= size) return;
    buffer_add_char(plain, '.');
    add_zeros(plain, -digits->point);
    buffer_add(plain, digits->all.data + before, (size_t)(size - before));
}

/* Zero keeps its places: 0.00 */
static void write_zero(const struct number *number, struct buffer *plain)
{
    const int places = (int)number->part.size - number->exponent;
    buffer_add_char(plain, '0');
    if (places <= 0) return;
    buffer_add_char(plain, '.');
    add_zeros(plain, places);
}

bool decimal_plain(struct bytes text, struct arena *arena, struct bytes *ret_plain)
{
    struct number number = {0};
    struct buffer plain = buffer_in(arena);
    if (text.size > EXPONENT_MAX || !read_number(text, &number)) return false;
    const int places = (int)number.part.size - number.exponent;
    const struct digits digits = line_up(&number, arena);
    if (places > DECIMAL_DIGITS_MAX) return false;
    if (digits.all.size == 0) {
        write_zero(&number, &plain);
    } else {
        if (digits.point > DECIMAL_DIGITS_MAX) return false;
        if (number.is_negative) buffer_add_char(&plain, '-');
        write_plain(&digits, &plain);
    }
    *ret_plain = buffer_bytes(&plain);
    return true;
}
