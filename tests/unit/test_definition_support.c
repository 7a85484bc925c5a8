#include "test_definition_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* No cryptography is needed to see whether contents differ. */
static void fold(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(1099511628211);
    }
    memset(ret_hash, 0, DEFINITION_HASH_SIZE);
    memcpy(ret_hash, &hash, sizeof(hash));
}

struct parsed parsed_under(struct bytes text, const char *topics_allow)
{
    const struct definition_rules rules = {.topics_allow = topics_allow};
    struct parsed parsed = {0};
    parsed.definition = definition_parse(text, &rules, fold, &parsed.arena, &parsed.report);
    assert_true((parsed.definition == NULL) == (parsed.report.error_count > 0));
    return parsed;
}

struct parsed parsed_stored(struct bytes text)
{
    const struct definition_rules rules = {.topics_allow = "*", .stored = true};
    struct parsed parsed = {0};
    parsed.definition = definition_parse(text, &rules, fold, &parsed.arena, &parsed.report);
    return parsed;
}

struct parsed parsed_text(struct bytes text)
{
    return parsed_under(text, NULL);
}

struct parsed parsed_format(const char *format, ...)
{
    static char text[64 * 1024];
    va_list args;
    va_start(args, format);
    const int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_in_range(size, 0, sizeof(text) - 1);
    return parsed_text((struct bytes){text, (size_t)size});
}

void parsed_done(struct parsed *parsed)
{
    definition_free(parsed->definition);
    arena_done(&parsed->arena);
}

static void print_list(const char *what, const struct definition_problem *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        print_error("  %s \"%.*s\": %.*s\n", what, (int)list[i].pointer.size, list[i].pointer.data,
                    (int)list[i].detail.size, list[i].detail.data);
    }
}

void print_report(const struct parsed *parsed)
{
    print_list("error", parsed->report.errors, parsed->report.error_count);
    print_list("warning", parsed->report.warnings, parsed->report.warning_count);
}

void assert_valid(const struct parsed *parsed)
{
    if (parsed->definition != NULL) return;
    print_report(parsed);
    fail_msg("refused");
}

static bool are_at(const struct definition_problem *list, size_t count, const char *first,
                   va_list more)
{
    size_t i = 0;
    for (const char *wanted = first; wanted != NULL; wanted = va_arg(more, const char *)) {
        if (i == count || !bytes_equal_text(list[i].pointer, wanted)) return false;
        if (list[i++].detail.size == 0) return false;
    }
    return i == count;
}

void assert_errors(const struct parsed *parsed, const char *first, ...)
{
    va_list more;
    va_start(more, first);
    const bool right = are_at(parsed->report.errors, parsed->report.error_count, first, more);
    va_end(more);
    if (right) return;
    print_report(parsed);
    fail_msg("the errors are not where they should be: %s ...", first);
}

void assert_warnings(const struct parsed *parsed, const char *first, ...)
{
    va_list more;
    va_start(more, first);
    const bool right = are_at(parsed->report.warnings, parsed->report.warning_count, first, more);
    va_end(more);
    if (right) return;
    print_report(parsed);
    fail_msg("the warnings are not where they should be: %s ...", first);
}

const struct step *step_named(const struct parsed *parsed, const char *id)
{
    assert_valid(parsed);
    const int position = definition_find_step(parsed->definition, bytes_of(id));
    assert_true(position >= 0);
    return &parsed->definition->steps[position];
}
