#include "sagas/base/json_view.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double DOUBLE_INTEGERS_MAX = 9007199254740992.0; /* 2^53 */

static void write_escape(struct buffer *buffer, unsigned char c)
{
    static const char NAMES[] = "\"\\bfnrt";
    static const char MEANINGS[] = "\"\\\b\f\n\r\t";

    const char *const found = c == '\0' ? NULL : strchr(MEANINGS, c);
    if (found == NULL) {
        buffer_add_format(buffer, "\\u%04x", c);
        return;
    }
    buffer_add_char(buffer, '\\');
    buffer_add_char(buffer, NAMES[found - MEANINGS]);
}

void json_write_string_part(struct buffer *buffer, struct bytes text)
{
    size_t plain = 0;
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        buffer_add(buffer, text.data + plain, i - plain);
        write_escape(buffer, c);
        plain = i + 1;
    }
    buffer_add(buffer, text.data + plain, text.size - plain);
}

void json_write_string(struct buffer *buffer, struct bytes text)
{
    buffer_add_char(buffer, '"');
    json_write_string_part(buffer, text.data == NULL ? BYTES("") : text);
    buffer_add_char(buffer, '"');
}

void json_write_text(struct buffer *buffer, const char *text)
{
    if (text == NULL) {
        buffer_add_text(buffer, "null");
    } else {
        json_write_string(buffer, bytes_of(text));
    }
}

void json_write_int(struct buffer *buffer, int64_t value)
{
    char text[24];
    char *at = text + sizeof(text);
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) *--at = '-';
    buffer_add(buffer, at, (size_t)(text + sizeof(text) - at));
}

/* What printf writes, without the plus sign and the leading zeros of its exponent. */
static void write_tidy(struct buffer *buffer, struct bytes number)
{
    const char *const exponent = memchr(number.data, 'e', number.size);
    if (exponent == NULL) {
        buffer_add_bytes(buffer, number);
        return;
    }
    const char *digits = exponent + 2; /* printf always writes a sign */
    while (*digits == '0') {
        digits++;
    }
    buffer_add(buffer, number.data, (size_t)(exponent + 1 - number.data));
    if (exponent[1] == '-') buffer_add_char(buffer, '-');
    buffer_add_text(buffer, digits);
}

void json_write_double(struct buffer *buffer, double value)
{
    char text[40];
    assert(isfinite(value));
    if (fabs(value) <= DOUBLE_INTEGERS_MAX && value == trunc(value)) {
        const int size = snprintf(text, sizeof(text), "%.0f", value);
        buffer_add(buffer, text, (size_t)size);
        return;
    }
    /* 15 digits always survive, except in subnormal numbers, which may need fewer. */
    int digits = fpclassify(value) == FP_SUBNORMAL ? 1 : 15;
    int size = 0;
    do {
        size = snprintf(text, sizeof(text), "%.*g", digits, value);
    } while (strtod(text, NULL) != value && ++digits <= 17);
    write_tidy(buffer, (struct bytes){text, (size_t)size});
}

/* Civil date of days since 1970-01-01 (proleptic Gregorian calendar, years of March to February).
 */
static void civil_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const int64_t day_of_era = days - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

/* `count` digits with leading zeros. */
static char *put_digits(char *at, int count, int64_t value)
{
    for (int i = count; i-- > 0; value /= 10) {
        at[i] = (char)('0' + value % 10);
    }
    return at + count;
}

size_t time_print(int64_t at_ms, char ret_text[TIME_TEXT_SIZE])
{
    enum { MS_PER_DAY = 24 * 60 * 60 * 1000, YEAR_MAX = 9999 };

    int64_t ms = at_ms % MS_PER_DAY;
    int64_t days = at_ms / MS_PER_DAY;
    if (ms < 0) {
        ms += MS_PER_DAY;
        days--;
    }
    int64_t year = 0;
    int month = 0;
    int day = 0;
    civil_date(days, &year, &month, &day);
    if (year < 0) year = 0;
    if (year > YEAR_MAX) year = YEAR_MAX;
    const int second_of_day = (int)(ms / 1000);
    char *at = ret_text;
    at = put_digits(at, 4, year);
    *at++ = '-';
    at = put_digits(at, 2, month);
    *at++ = '-';
    at = put_digits(at, 2, day);
    *at++ = 'T';
    at = put_digits(at, 2, second_of_day / 3600);
    *at++ = ':';
    at = put_digits(at, 2, second_of_day / 60 % 60);
    *at++ = ':';
    at = put_digits(at, 2, second_of_day % 60);
    *at++ = '.';
    at = put_digits(at, 3, ms % 1000);
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - ret_text);
}

void json_write_time(struct buffer *buffer, int64_t at_ms)
{
    if (at_ms == 0) {
        buffer_add_text(buffer, "null");
        return;
    }
    char text[TIME_TEXT_SIZE];
    const size_t size = time_print(at_ms, text);
    buffer_add_char(buffer, '"');
    buffer_add(buffer, text, size);
    buffer_add_char(buffer, '"');
}

void json_write_compact_text(struct buffer *buffer, struct bytes text)
{
    bool in_string = false;
    size_t kept = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        if (in_string && c == '\\') {
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
            buffer_add(buffer, text.data + kept, i - kept);
            kept = i + 1;
        }
    }
    buffer_add(buffer, text.data + kept, text.size - kept);
}

void json_write_compact(struct buffer *buffer, const struct json_view *view)
{
    json_write_compact_text(buffer, view->text);
}

void json_pointer_add(struct buffer *buffer, struct bytes token)
{
    buffer_add_char(buffer, '/');
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] == '~') {
            buffer_add_text(buffer, "~0");
        } else if (token.data[i] == '/') {
            buffer_add_text(buffer, "~1");
        } else {
            buffer_add_char(buffer, token.data[i]);
        }
    }
}
