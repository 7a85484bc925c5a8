/*
 * sagas/base/time_parse.c
 *   RFC 3339 as people write it. See json_view.h.
 */
#include "sagas/base/json_view.h"

static bool digits(struct bytes text, size_t at, size_t count, int *ret_value)
{
    int value = 0;
    if (at + count > text.size) return false;
    for (size_t i = at; i < at + count; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        value = value * 10 + (text.data[i] - '0');
    }
    *ret_value = value;
    return true;
}

static bool is_at(struct bytes text, size_t at, const char *any_of)
{
    for (const char *c = any_of; at < text.size && *c != '\0'; c++) {
        if (text.data[at] == *c) return true;
    }
    return false;
}

static int days_in_month(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : DAYS[month - 1];
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar. */
static int64_t days_since_epoch(int year, int month, int day)
{
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = y / 400;
    const int64_t year_of_era = y - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool read_date(struct bytes text, int64_t *ret_days)
{
    int year = 0;
    int month = 0;
    int day = 0;
    if (!digits(text, 0, 4, &year) || !is_at(text, 4, "-") || !digits(text, 5, 2, &month) ||
        !is_at(text, 7, "-") || !digits(text, 8, 2, &day) || !is_at(text, 10, "Tt ")) {
        return false;
    }
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *ret_days = days_since_epoch(year, month, day);
    return true;
}

/* hh:mm:ss as seconds; a leap second counts as the one before it. */
static bool read_clock(struct bytes text, int64_t *ret_seconds)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!digits(text, 11, 2, &hour) || !is_at(text, 13, ":") || !digits(text, 14, 2, &minute) ||
        !is_at(text, 16, ":") || !digits(text, 17, 2, &second)) {
        return false;
    }
    if (hour > 23 || minute > 59 || second > 60) return false;
    *ret_seconds = (int64_t)hour * 3600 + (int64_t)minute * 60 + (second == 60 ? 59 : second);
    return true;
}

/* `.123456` as ms; *at moves behind it. */
static bool read_fraction(struct bytes text, size_t *at, int64_t *ret_ms)
{
    static const int64_t UNIT[] = {100, 10, 1};
    if (!is_at(text, *at, ".")) return true;
    const size_t first = *at + 1;
    int value = 0;
    for (*at = first; digits(text, *at, 1, &value); (*at)++) {
        if (*at - first < 3) *ret_ms += value * UNIT[*at - first];
    }
    return *at > first;
}

/* Z or ±hh:mm, as minutes; nothing may follow. */
static bool read_offset(struct bytes text, size_t at, int64_t *ret_minutes)
{
    int hour = 0;
    int minute = 0;
    if (is_at(text, at, "Zz")) return at + 1 == text.size;
    if (!is_at(text, at, "+-") || at + 6 != text.size) return false;
    if (!digits(text, at + 1, 2, &hour) || !is_at(text, at + 3, ":") ||
        !digits(text, at + 4, 2, &minute)) {
        return false;
    }
    if (hour > 23 || minute > 59) return false;
    const int64_t minutes = (int64_t)hour * 60 + minute;
    *ret_minutes = text.data[at] == '-' ? -minutes : minutes;
    return true;
}

bool time_parse(struct bytes text, int64_t *ret_at_ms)
{
    int64_t days = 0;
    int64_t seconds = 0;
    int64_t ms = 0;
    int64_t offset_minutes = 0;
    size_t at = 19;
    if (!read_date(text, &days) || !read_clock(text, &seconds)) return false;
    if (!read_fraction(text, &at, &ms) || !read_offset(text, at, &offset_minutes)) return false;
    const int64_t at_ms = (days * 86400 + seconds - offset_minutes * 60) * 1000 + ms;
    if (at_ms < 0) return false;
    *ret_at_ms = at_ms;
    return true;
}
