/* What may be shown of payloads. */
#include "api/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static const struct bytes POINTERS[] = {
    {"/input/card/number",      18},
    {"/input/items/1",          14},
    {"/input/a~1b~0",           13},
    {"/output",                 7 },
    {"/steps/pay/output/token", 23},
    {"/steps/each/output/2/x",  22},
    {"/input/card",             11},
};

static const struct definition DEFINITION = {.redact = POINTERS, .redact_count = 6};
static const struct definition WHOLE_CARD = {.redact = POINTERS, .redact_count = 7};
static const struct definition OPEN = {0};

static void assert_shown(const struct definition *definition, const char *root, int32_t index,
                         const char *payload, const char *wanted)
{
    struct buffer shown = buffer_in(&arena);
    redact_write_item(&shown, definition, bytes_of(root), index, bytes_of(payload));
    assert_string_equal(shown.data, wanted);
}

static void without_pointers_every_byte_is_as_it_was(void **state)
{
    (void)state;
    assert_shown(&OPEN, "/input", -1, "{ \"a\" : 0.10 }", "{ \"a\" : 0.10 }");
    assert_shown(&OPEN, "/input", -1, NULL, "null");
}

static void the_value_at_a_pointer_is_masked_and_the_rest_is_as_it_was(void **state)
{
    (void)state;
    assert_shown(&DEFINITION, "/input", -1,
                 "{ \"card\" : {\"number\": \"4111\" , \"name\":\"x\"}, \"n\":1e400 }",
                 "{ \"card\" : {\"number\": \"[redacted]\" , \"name\":\"x\"}, \"n\":1e400 }");
    assert_shown(&DEFINITION, "/input", -1, "{\"items\":[1, {\"a\":2}, 3],\"a/b~\":4}",
                 "{\"items\":[1, \"[redacted]\", 3],\"a/b~\":\"[redacted]\"}");
    assert_shown(&DEFINITION, "/output", -1, "{\"a\":1}", "\"[redacted]\"");
}

static void pointers_that_lead_nowhere_mask_nothing(void **state)
{
    (void)state;
    assert_shown(&DEFINITION, "/input", -1, "{\"card\":7,\"items\":[0]}",
                 "{\"card\":7,\"items\":[0]}");
    assert_shown(&DEFINITION, "/steps/other/output", -1, "{\"token\":1}", "{\"token\":1}");
    assert_shown(&DEFINITION, "/steps/pa/output", -1, "{\"token\":1}", "{\"token\":1}");
}

static void a_mask_inside_a_mask_is_one_mask(void **state)
{
    (void)state;
    assert_shown(&WHOLE_CARD, "/input", -1, "{\"card\":{\"number\":1},\"x\":2}",
                 "{\"card\":\"[redacted]\",\"x\":2}");
}

static void items_of_a_foreach_are_masked_all_or_one(void **state)
{
    (void)state;
    assert_shown(&DEFINITION, "/steps/pay/output", 3, "{\"token\":1}",
                 "{\"token\":\"[redacted]\"}");
    assert_shown(&DEFINITION, "/steps/each/output", 2, "{\"x\":1}", "{\"x\":\"[redacted]\"}");
    assert_shown(&DEFINITION, "/steps/each/output", 1, "{\"x\":1}", "{\"x\":1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_pointers_every_byte_is_as_it_was),
        cmocka_unit_test(the_value_at_a_pointer_is_masked_and_the_rest_is_as_it_was),
        cmocka_unit_test(pointers_that_lead_nowhere_mask_nothing),
        cmocka_unit_test(a_mask_inside_a_mask_is_one_mask),
        cmocka_unit_test(items_of_a_foreach_are_masked_all_or_one),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
