#include "sagas/calendar/cron.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FIELDS = 5, SHOWN_MAX = 40 };

static const char *const MONTHS[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const WEEKDAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field {
    const char *what;
    uint32_t least, most;
    const char *const *names; /* of least, least + 1, ... */
    uint32_t name_count;
} FIELD[FIELDS] = {
    {"minute",       0, 59, NULL,     0 },
    {"hour",         0, 23, NULL,     0 },
    {"day of month", 1, 31, NULL,     0 },
    {"month",        1, 12, MONTHS,   12},
    {"day of week",  0, 7,  WEEKDAYS, 7 }, /* 7 is Sunday too */
};
enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const struct {
    const char *name, *meaning;
} NICKNAMES[] = {
    {"@yearly",   "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly",  "0 0 1 * *"},
    {"@weekly",   "0 0 * * 0"},
    {"@daily",    "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly",   "0 * * * *"},
};

struct reading {
    const struct field *field;
    const char *at, *end; /* of the field */
    char *fault;
};

static bool __attribute__((format(printf, 2, 3))) fail(char *fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault, CRON_FAULT_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_digits(struct reading *reading, uint32_t *ret_number)
{
    const char *const begin = reading->at;
    uint32_t number = 0;
    while (reading->at < reading->end && is_digit(*reading->at) && reading->at - begin < 4) {
        number = number * 10 + (uint32_t)(*reading->at++ - '0');
    }
    *ret_number = number;
    return reading->at > begin;
}

static bool read_name(struct reading *reading, uint32_t *ret_number)
{
    if (reading->end - reading->at < 3) return false;
    for (uint32_t i = 0; i < reading->field->name_count; i++) {
        if (strncasecmp(reading->at, reading->field->names[i], 3) != 0) continue;
        reading->at += 3;
        *ret_number = reading->field->least + i;
        return true;
    }
    return false;
}

static bool fail_at(struct reading *reading)
{
    const struct field *const field = reading->field;
    const int size =
        (int)(reading->end - reading->at < SHOWN_MAX ? reading->end - reading->at : SHOWN_MAX);
    if (size == 0) {
        return fail(reading->fault, "the %s field stops where a number is expected", field->what);
    }
    return fail(
        reading->fault,
        "the %s field is not understood at '%.*s'; it takes numbers from %u to %u%s, ranges "
        "(a-b), steps (*/n) and lists (a,b)",
        field->what, size, reading->at, field->least, field->most,
        field->name_count > 0 ? ", three-letter names" : "");
}

static bool read_value(struct reading *reading, uint32_t *ret_number)
{
    const struct field *const field = reading->field;
    if (!read_digits(reading, ret_number) && !read_name(reading, ret_number)) {
        return fail_at(reading);
    }
    if (*ret_number >= field->least && *ret_number <= field->most) return true;
    return fail(reading->fault, "the %s field has %u; it takes %u to %u", field->what, *ret_number,
                field->least, field->most);
}

static bool take(struct reading *reading, char c)
{
    if (reading->at == reading->end || *reading->at != c) return false;
    reading->at++;
    return true;
}

static bool read_step(struct reading *reading, uint32_t *ret_step)
{
    if (!read_digits(reading, ret_step)) return fail_at(reading);
    if (*ret_step > 0 && *ret_step <= reading->field->most) return true;
    return fail(reading->fault, "the %s field has a step of %u; it takes 1 to %u",
                reading->field->what, *ret_step, reading->field->most);
}

struct range {
    uint32_t first, last;
    bool is_single; /* one number, no `-` */
};

/* `*`, a, a-b */
static bool read_ends(struct reading *reading, struct range *ret_range)
{
    const struct field *const field = reading->field;
    const bool is_weekday = field == &FIELD[WEEKDAY];
    *ret_range = (struct range){.first = field->least, .last = is_weekday ? 6 : field->most};
    if (take(reading, '*')) return true;
    if (!read_value(reading, &ret_range->first)) return false;
    ret_range->is_single = !take(reading, '-');
    if (ret_range->is_single) return true;
    if (!read_value(reading, &ret_range->last)) return false;
    /* SAT-SUN: the week may end with its Sunday. */
    if (is_weekday && ret_range->last == 0 && ret_range->first > 0) ret_range->last = 7;
    return true;
}

/* Each with or without /step; a/step goes on to the end. */
static bool read_range(struct reading *reading, uint64_t *set)
{
    const struct field *const field = reading->field;
    struct range range;
    uint32_t step = 1;
    if (!read_ends(reading, &range)) return false;
    if (take(reading, '/')) {
        if (!read_step(reading, &step)) return false;
    } else if (range.is_single) {
        range.last = range.first;
    }
    if (range.is_single && range.first > range.last) range.last = range.first; /* 7/n */
    if (range.first > range.last) {
        return fail(reading->fault,
                    "the %s field has the range %u-%u, which runs backwards; write "
                    "two ranges, as in %u-%u,%u-%u",
                    field->what, range.first, range.last, range.first, field->most, field->least,
                    range.last);
    }
    for (uint32_t i = range.first; i <= range.last; i += step) {
        *set |= UINT64_C(1) << i;
    }
    return true;
}

static bool read_field(const struct field *field, struct bytes text, uint64_t *ret_set, char *fault)
{
    struct reading reading = {.field = field, .at = text.data, .end = text.data + text.size};
    reading.fault = fault;
    *ret_set = 0;
    do {
        if (!read_range(&reading, ret_set)) return false;
    } while (take(&reading, ','));
    return reading.at == reading.end || fail_at(&reading);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* More than FIELDS are counted and not kept. */
static size_t split(struct bytes text, struct bytes ret_fields[FIELDS])
{
    size_t count = 0;
    size_t at = 0;
    while (at < text.size) {
        const size_t begin = at;
        while (at < text.size && !is_blank(text.data[at])) {
            at++;
        }
        if (at > begin && count++ < FIELDS) {
            ret_fields[count - 1] = (struct bytes){text.data + begin, at - begin};
        }
        at++;
    }
    return count;
}

static bool expand(struct bytes *text, char *fault)
{
    if (text->size == 0 || text->data[0] != '@') return true;
    for (size_t i = 0; i < sizeof NICKNAMES / sizeof NICKNAMES[0]; i++) {
        if (text->size != strlen(NICKNAMES[i].name)) continue;
        if (strncasecmp(text->data, NICKNAMES[i].name, text->size) != 0) continue;
        *text = bytes_of(NICKNAMES[i].meaning);
        return true;
    }
    return fail(fault,
                "of names there are @yearly, @annually, @monthly, @weekly, @daily, "
                "@midnight and @hourly");
}

static bool begins_with_star(struct bytes text)
{
    return text.data[0] == '*';
}

/* Is there a day in the months that are meant which the month has? */
static bool can_fire(const struct cron *cron)
{
    static const uint32_t DAYS[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!cron->any_day && !cron->any_weekday) return true; /* its weekday comes */
    for (uint32_t month = 1; month <= 12; month++) {
        const uint64_t days = (UINT64_C(2) << DAYS[month - 1]) - 1;
        if ((cron->months >> month & 1) != 0 && (cron->days & days) != 0) return true;
    }
    return false;
}

bool cron_parse(struct bytes text, struct cron *ret_cron, char ret_fault[CRON_FAULT_SIZE])
{
    struct bytes field[FIELDS];
    uint64_t set[FIELDS];
    if (text.size > CRON_SIZE_MAX) {
        return fail(ret_fault, "an expression has at most %d bytes", CRON_SIZE_MAX);
    }
    if (!expand(&text, ret_fault)) return false;
    const size_t count = split(text, field);
    if (count != FIELDS) {
        return fail(ret_fault,
                    "has %zu fields; write five: minute, hour, day of month, month, day "
                    "of week, as in '0 6 * * MON-FRI'",
                    count);
    }
    for (size_t i = 0; i < FIELDS; i++) {
        if (!read_field(&FIELD[i], field[i], &set[i], ret_fault)) return false;
    }
    if ((set[WEEKDAY] >> 7 & 1) != 0) set[WEEKDAY] = (set[WEEKDAY] | 1) & 0x7f;
    *ret_cron = (struct cron){
        .minutes = set[MINUTE],
        .hours = (uint32_t)set[HOUR],
        .days = (uint32_t)set[DAY],
        .months = (uint32_t)set[MONTH],
        .weekdays = (uint32_t)set[WEEKDAY],
        .any_day = begins_with_star(field[DAY]),
        .any_weekday = begins_with_star(field[WEEKDAY]),
    };
    return can_fire(ret_cron) || fail(ret_fault, "never fires: none of its months has such a day");
}
