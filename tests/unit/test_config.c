/*
 * tests/unit/test_config.c
 *   Flags over environment over file over default; what is wrong is named with its cure.
 */
#include "orchestrator/daemon/config.h"
#include "orchestrator/daemon/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 8 };

static char path[] = "/tmp/sagad-config-XXXXXX";

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

struct reading {
    bool good;
    struct config config;
    const char **words;
    struct err err;
};

/* `line` is split at spaces; `FILE` stands for the file's path. */
static struct reading read_for(int bit, const char *line)
{
    static char text[400];
    char *arguments[ARGUMENTS_MAX + 1] = {0};
    size_t count = 0;
    (void)snprintf(text, sizeof text, "%s", line);
    for (char *rest = NULL, *word = strtok_r(text, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        assert_true(count < ARGUMENTS_MAX);
        arguments[count++] = strcmp(word, "FILE") == 0 ? path : word;
    }
    struct reading reading = {0};
    reading.good = config_read(bit, arguments, &reading.config, &reading.words, &reading.err);
    return reading;
}

static void assert_refused(const char *line, const char *what)
{
    struct reading reading = read_for(FOR_SERVE, line);
    assert_false(reading.good);
    assert_int_equal(reading.err.kind, ERR_INVALID);
    if (strstr(reading.err.text, what) == NULL) {
        fail_msg("`%s` does not say `%s`", reading.err.text, what);
    }
}

static int clean(void **state)
{
    (void)state;
    static const char *const NAMES[] = {
        "SAGAD_WORKERS",           "SAGAD_LISTEN", "SAGAD_DATABASE_URL", "SAGAD_DATABASE_URL_FILE",
        "SAGAD_DATABASE_URL_FILE", "SAGAD_CONFIG", "SAGAD_INSECURE",     "SAGAD_LOG_LEVEL"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        unsetenv(NAMES[i]);
    }
    return 0;
}

static void what_is_not_given_has_its_default(void **state)
{
    (void)state;
    struct reading reading = read_for(FOR_SERVE, "");

    assert_true(reading.good);
    assert_string_equal(reading.config.listen, "127.0.0.1:8080");
    assert_int_equal(reading.config.workers, 2);
    assert_null(reading.config.database_url);
    assert_false(reading.config.insecure);
    config_done(&reading.config);
}

static void flags_go_over_environment_over_file(void **state)
{
    (void)state;
    static const char TEXT[] = "{\"workers\": 3, \"listen\": \"h:1\", \"namespace\": \"shop\"}";
    write_file(TEXT, strlen(TEXT));
    setenv("SAGAD_WORKERS", "4", 1);
    setenv("SAGAD_LISTEN", "h:2", 1);

    struct reading reading = read_for(FOR_SERVE, "--config FILE --workers 5");

    assert_true(reading.good);
    assert_int_equal(reading.config.workers, 5);
    assert_string_equal(reading.config.listen, "h:2");
    assert_string_equal(reading.config.namespace_name, "shop");
    config_done(&reading.config);
}

static void the_file_may_be_named_by_the_environment(void **state)
{
    (void)state;
    write_file("{\"insecure\": true}", strlen("{\"insecure\": true}"));
    setenv("SAGAD_CONFIG", path, 1);

    struct reading reading = read_for(FOR_SERVE, "");

    assert_true(reading.good);
    assert_true(reading.config.insecure);
    config_done(&reading.config);
}

static void a_flag_is_written_in_either_way_and_words_are_left(void **state)
{
    (void)state;
    struct reading reading = read_for(FOR_KEYS, "add --role=admin --keys-file keys.json ops");

    assert_true(reading.good);
    assert_string_equal(reading.config.role, "admin");
    assert_string_equal(reading.config.keys_file, "keys.json");
    assert_string_equal(reading.words[0], "add");
    assert_string_equal(reading.words[1], "ops");
    assert_null(reading.words[2]);
    config_done(&reading.config);
}

static void an_unknown_flag_is_answered_with_the_nearest(void **state)
{
    (void)state;
    assert_refused("--wokers 3", "did you mean `--workers`?");
    assert_refused("--something-else-entirely 3", "--help lists them");
}

static void a_flag_of_another_subcommand_is_unknown_here(void **state)
{
    (void)state;
    assert_refused("--partitions 3", "unknown setting `--partitions`");
}

static void an_unknown_name_in_the_file_is_answered_with_the_nearest(void **state)
{
    (void)state;
    write_file("{\"lisen\": \"x\"}", strlen("{\"lisen\": \"x\"}"));
    assert_refused("--config FILE", "did you mean `listen`?");
}

static void a_file_that_is_no_json_is_named_with_its_line(void **state)
{
    (void)state;
    write_file("{\n\"workers\" 3}", strlen("{\n\"workers\" 3}"));
    assert_refused("--config FILE", "line 2");
    write_file("[1]", 3);
    assert_refused("--config FILE", "object");
    assert_refused("--config /nowhere/at/all", "/nowhere/at/all");
}

static void bad_numbers_are_refused_with_what_is_allowed(void **state)
{
    (void)state;
    static const char *const BAD[] = {"0", "17", "-1", "2x", "+2", "99999999999999999999", "0x2"};
    char line[60];
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        (void)snprintf(line, sizeof line, "--workers=%s", BAD[i]);
        assert_refused(line, "no number from 1 to 16");
    }
    assert_refused("--workers=", "no number from 1 to 16");
    assert_refused("--workers", "--workers wants a value");
    setenv("SAGAD_WORKERS", "many", 1);
    assert_refused("", "SAGAD_WORKERS");
}

static void bad_switches_and_levels_are_refused(void **state)
{
    (void)state;
    assert_refused("--insecure=perhaps", "neither true nor false");
    assert_refused("--log-level=loud", "debug, info, warning or error");
}

static void a_secret_comes_from_a_file_without_its_newline(void **state)
{
    (void)state;
    write_file("postgresql://secret@host/db\n", strlen("postgresql://secret@host/db\n"));
    setenv("SAGAD_DATABASE_URL_FILE", path, 1);

    struct reading reading = read_for(FOR_SERVE, "");

    assert_true(reading.good);
    assert_string_equal(reading.config.database_url, "postgresql://secret@host/db");
    struct buffer buffer = buffer_in(&reading.config.arena);
    config_write(&reading.config, &buffer);
    assert_null(strstr(buffer.data, "secret@"));
    assert_non_null(strstr(buffer.data, "database-url=(set)\n"));
    config_done(&reading.config);
}

static void a_secret_file_that_cannot_be_used_stops_the_start(void **state)
{
    (void)state;
    static char big[10000];
    memset(big, 'x', sizeof big);
    write_file(big, sizeof big);
    setenv("SAGAD_DATABASE_URL_FILE", path, 1);
    assert_refused("", "longer than");
    setenv("SAGAD_DATABASE_URL_FILE", "/nowhere/at/all", 1);
    assert_refused("", "/nowhere/at/all");
    setenv("SAGAD_DATABASE_URL_FILE", "/tmp", 1);
    assert_refused("", "/tmp");
}

static void help_names_each_flag_with_its_environment(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer buffer = buffer_in(&arena);
    config_write_help(FOR_SERVE, &buffer);

    assert_non_null(strstr(buffer.data, "--undispatched-max VALUE"));
    assert_non_null(strstr(buffer.data, "SAGAD_UNDISPATCHED_MAX"));
    assert_non_null(strstr(buffer.data, "SAGAD_TOKEN_KEY (or ..._FILE)"));
    assert_null(strstr(buffer.data, "--partitions"));
    arena_done(&arena);
}

static void the_nearest_word_is_within_three_edits(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"listen", "workers", "all", "token-key"};
    assert_string_equal(nearest_word("lsiten", WORDS, 4), "listen");
    assert_string_equal(nearest_word("worker", WORDS, 4), "workers");
    assert_string_equal(nearest_word("token_key", WORDS, 4), "token-key");
    assert_string_equal(nearest_word("al", WORDS, 4), "all");
    assert_null(nearest_word("xyz", WORDS, 4)); /* three edits turn any three letters into all */
    assert_null(nearest_word("lsitttttten", WORDS, 4));
    assert_null(nearest_word("", WORDS, 4));
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_null(nearest_word(longer, WORDS, 4));
}

static int make_file(void **state)
{
    (void)state;
    const int descriptor = mkstemp(path);
    if (descriptor < 0) return -1;
    return close(descriptor);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_not_given_has_its_default, clean),
        cmocka_unit_test_teardown(flags_go_over_environment_over_file, clean),
        cmocka_unit_test_teardown(the_file_may_be_named_by_the_environment, clean),
        cmocka_unit_test_teardown(a_flag_is_written_in_either_way_and_words_are_left, clean),
        cmocka_unit_test_teardown(an_unknown_flag_is_answered_with_the_nearest, clean),
        cmocka_unit_test_teardown(a_flag_of_another_subcommand_is_unknown_here, clean),
        cmocka_unit_test_teardown(an_unknown_name_in_the_file_is_answered_with_the_nearest, clean),
        cmocka_unit_test_teardown(a_file_that_is_no_json_is_named_with_its_line, clean),
        cmocka_unit_test_teardown(bad_numbers_are_refused_with_what_is_allowed, clean),
        cmocka_unit_test_teardown(bad_switches_and_levels_are_refused, clean),
        cmocka_unit_test_teardown(a_secret_comes_from_a_file_without_its_newline, clean),
        cmocka_unit_test_teardown(a_secret_file_that_cannot_be_used_stops_the_start, clean),
        cmocka_unit_test_teardown(help_names_each_flag_with_its_environment, clean),
        cmocka_unit_test_teardown(the_nearest_word_is_within_three_edits, clean),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
