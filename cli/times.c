#include "cli/times.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MS = 1000, MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static int64_t clock_ms(clockid_t id)
{
    struct timespec now;
    const int result = clock_gettime(id, &now);
    assert(result == 0);
    (void)result;
    return (int64_t)now.tv_sec * MS + now.tv_nsec / 1000000;
}

int64_t times_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t times_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void times_sleep_ms(int64_t ms)
{
    if (ms <= 0) return;
    struct timespec left = {.tv_sec = ms / MS, .tv_nsec = (ms % MS) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* Digits, `count` of them, at `text + at`; -1 when they are none. */
static int digits(struct bytes text, size_t at, size_t count)
{
    int value = 0;
    for (size_t i = at; i < at + count; i++) {
        if (i >= text.size || !isdigit((unsigned char)text.data[i])) return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

static int64_t fraction_ms(struct bytes text, size_t *at)
{
    int64_t ms = 0;
    if (*at >= text.size || text.data[*at] != '.') return 0;
    int64_t weight = 100;
    for ((*at)++; *at < text.size && isdigit((unsigned char)text.data[*at]); (*at)++) {
        ms += weight * (text.data[*at] - '0');
        weight /= 10;
    }
    return ms;
}

/* Seconds east of UTC written at `at`; false when it is neither Z nor +hh:mm. */
static bool read_zone(struct bytes text, size_t at, int64_t *ret_seconds)
{
    *ret_seconds = 0;
    if (at + 1 == text.size && (text.data[at] == 'Z' || text.data[at] == 'z')) return true;
    if (at + 6 != text.size || text.data[at + 3] != ':') return false;
    const int hours = digits(text, at + 1, 2);
    const int minutes = digits(text, at + 4, 2);
    if (hours < 0 || minutes < 0 || (text.data[at] != '+' && text.data[at] != '-')) return false;
    *ret_seconds = (int64_t)hours * HOUR + (int64_t)minutes * MINUTE;
    if (text.data[at] == '-') *ret_seconds = -*ret_seconds;
    return true;
}

int64_t times_parse(struct bytes text)
{
    if (text.size < sizeof "2026-01-02T03:04:05Z" - 1) return 0;
    const bool marks = text.data[4] == '-' && text.data[7] == '-' && text.data[13] == ':' &&
                       text.data[16] == ':' && strchr("Tt ", text.data[10]) != NULL;
    const int part[6] = {digits(text, 0, 4),  digits(text, 5, 2),  digits(text, 8, 2),
                         digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2)};
    for (size_t i = 0; i < 6; i++) {
        if (!marks || part[i] < 0) return 0;
    }
    if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 ||
        part[4] > 59) {
        return 0;
    }
    struct tm utc = {.tm_year = part[0] - 1900,
                     .tm_mon = part[1] - 1,
                     .tm_mday = part[2],
                     .tm_hour = part[3],
                     .tm_min = part[4],
                     .tm_sec = part[5]};
    size_t at = sizeof "2026-01-02T03:04:05" - 1;
    const int64_t ms = fraction_ms(text, &at);
    int64_t zone = 0;
    if (!read_zone(text, at, &zone)) return 0;
    return ((int64_t)timegm(&utc) - zone) * MS + ms;
}

static void print_utc(int64_t at_ms, const char *date, char ret_text[TIMES_TEXT_SIZE])
{
    const time_t seconds = (time_t)(at_ms / MS);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char clock[TIMES_TEXT_SIZE];
    (void)snprintf(clock, sizeof clock, "%02d:%02d:%02d.%03d", utc.tm_hour % 24, utc.tm_min % 60,
                   utc.tm_sec % 61, (int)(at_ms % MS));
    if (date == NULL) {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "%s", clock);
    } else {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "%04d-%02d-%02dT%.12sZ",
                       (utc.tm_year + 1900) % 10000, (utc.tm_mon + 1) % 13, utc.tm_mday % 32,
                       clock);
    }
}

void times_print(int64_t at_ms, char ret_text[TIMES_TEXT_SIZE])
{
    print_utc(at_ms, "", ret_text);
}

void times_clock(int64_t at_ms, char ret_text[TIMES_TEXT_SIZE])
{
    print_utc(at_ms, NULL, ret_text);
}

/* One unit, rounded down: "45s", "2m", "3h", "5d". */
static void print_coarse(int64_t seconds, char ret_text[TIMES_TEXT_SIZE])
{
    static const struct {
        int64_t seconds;
        char unit;
    } UNITS[] = {
        {DAY,    'd'},
        {HOUR,   'h'},
        {MINUTE, 'm'},
        {1,      's'}
    };
    size_t i = 0;
    while (UNITS[i].seconds > 1 && seconds < UNITS[i].seconds) {
        i++;
    }
    (void)snprintf(ret_text, TIMES_TEXT_SIZE, "%" PRId64 "%c", seconds / UNITS[i].seconds,
                   UNITS[i].unit);
}

void times_ago(int64_t now_ms, int64_t at_ms, char ret_text[TIMES_TEXT_SIZE])
{
    if (at_ms == 0) {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "-");
        return;
    }
    const int64_t past_ms = now_ms - at_ms;
    char coarse[TIMES_TEXT_SIZE];
    print_coarse((past_ms < 0 ? -past_ms + MS - 1 : past_ms) / MS, coarse);
    if (past_ms < 0) {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "in %.20s", coarse);
    } else if (past_ms < MS) {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "just now");
    } else {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "%.20s ago", coarse);
    }
}

void times_span(int64_t span_ms, char ret_text[TIMES_TEXT_SIZE])
{
    const int64_t ms = span_ms < 0 ? 0 : span_ms;
    const int64_t s = ms / MS;
    if (ms < MS) {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "%" PRId64 " ms", ms);
    } else if (s < MINUTE) {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "%" PRId64 ".%" PRId64 " s", s, ms % MS / 100);
    } else if (s < HOUR) {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "%" PRId64 "m %02" PRId64 "s", s / MINUTE,
                       s % MINUTE);
    } else if (s < DAY) {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "%" PRId64 "h %02" PRId64 "m", s / HOUR,
                       s % HOUR / MINUTE);
    } else {
        (void)snprintf(ret_text, TIMES_TEXT_SIZE, "%" PRId64 "d %02" PRId64 "h", s / DAY,
                       s % DAY / HOUR);
    }
}
