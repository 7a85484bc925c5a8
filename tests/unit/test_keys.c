/* API keys: made, found, refused, read again. */
#include "api/api.h"
#include "api/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/saga-keys-XXXXXX";
static char file[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    (void)snprintf(file, sizeof(file), "%s/keys", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(file);
    return rmdir(folder);
}

static int remove_file(void **state)
{
    (void)state;
    (void)unlink(file);
    return 0;
}

static void add(const char *name, const char *role, char ret_key[80])
{
    struct err err;
    if (!api_keys_add(file, name, role, ret_key, &err)) fail_msg("%s", err.text);
}

static void write_file(const char *text, const char *mode)
{
    FILE *const stream = fopen(file, mode);
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

static struct keys *open_keys(void)
{
    struct keys *keys = NULL;
    struct err err;
    if (!keys_open(file, &keys, &err)) fail_msg("%s", err.text);
    return keys;
}

static void a_key_that_was_made_is_found_with_its_name_and_role(void **state)
{
    (void)state;
    char key[80];
    char other[80];
    struct principal who;
    add("shop", "submitter", key);
    add("ops.2", "operator", other);
    struct keys *const keys = open_keys();

    assert_true(keys_find(keys, bytes_of(key), &who));
    assert_string_equal(who.name, "shop");
    assert_int_equal(who.role, ROLE_SUBMITTER);
    assert_true(keys_find(keys, bytes_of(other), &who));
    assert_string_equal(who.name, "ops.2");
    keys_close(keys);
}

static void a_changed_key_is_not_found(void **state)
{
    (void)state;
    char key[80];
    struct principal who;
    add("shop", "admin", key);
    struct keys *const keys = open_keys();

    for (size_t i = 0; i < strlen(key); i++) {
        const char was = key[i];
        key[i] = was == 'A' ? 'B' : 'A';
        assert_false(keys_find(keys, bytes_of(key), &who));
        key[i] = was;
    }
    assert_false(keys_find(keys, (struct bytes){key, strlen(key) - 1}, &who));
    assert_false(keys_find(keys, BYTES(""), &who));
    assert_true(keys_find(keys, bytes_of(key), &who));
    keys_close(keys);
}

static void the_file_holds_no_key_and_is_for_its_owner_only(void **state)
{
    (void)state;
    char key[80];
    char text[512] = {0};
    struct stat seen;
    add("shop", "reader", key);

    FILE *const stream = fopen(file, "r");
    assert_non_null(stream);
    assert_true(fread(text, 1, sizeof(text) - 1, stream) > 0);
    assert_int_equal(fclose(stream), 0);
    assert_null(strstr(text, strrchr(key, '_') + 1));
    assert_int_equal(stat(file, &seen), 0);
    assert_int_equal(seen.st_mode & 0777, 0600);
}

static void a_name_is_taken_once(void **state)
{
    (void)state;
    char key[80];
    struct err err;
    add("shop", "reader", key);

    assert_false(api_keys_add(file, "shop", "admin", key, &err));
    assert_non_null(strstr(err.text, "shop"));
}

static void wrong_names_and_roles_are_refused(void **state)
{
    (void)state;
    char key[80];
    struct err err;
    assert_false(api_keys_add(file, "a b", "admin", key, &err));
    assert_false(api_keys_add(file, "", "admin", key, &err));
    assert_false(api_keys_add(file, "a", "root", key, &err));
    assert_false(api_keys_add(file, "a", "nobody", key, &err));
    assert_false(api_keys_add("/nowhere/keys", "a", "admin", key, &err));
    assert_int_equal(err.kind, ERR_INVALID);
}

static void a_wrong_line_is_named(void **state)
{
    (void)state;
    struct keys *keys = NULL;
    struct err err;
    write_file("# ours\n\nshop reader onlythree\n", "w");
    assert_false(keys_open(file, &keys, &err));
    assert_non_null(strstr(err.text, "line 3"));
    write_file("shop boss AAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", "w");
    assert_false(keys_open(file, &keys, &err));
    assert_non_null(strstr(err.text, "role"));
    (void)unlink(file);
    assert_false(keys_open(file, &keys, &err));
    assert_non_null(strstr(err.text, "keys add"));
}

static void a_file_that_changes_is_read_again_and_a_broken_one_leaves_the_old_keys(void **state)
{
    (void)state;
    char first[80];
    char second[80];
    struct principal who;
    add("one", "reader", first);
    struct keys *const keys = open_keys();
    add("two", "reader", second);
    assert_false(keys_find(keys, bytes_of(second), &who));

    keys_refresh(keys);
    assert_true(keys_find(keys, bytes_of(second), &who));
    write_file("rubbish", "a");
    keys_refresh(keys);
    assert_true(keys_find(keys, bytes_of(first), &who));
    write_file("# nobody\n", "w");
    keys_refresh(keys);
    assert_false(keys_find(keys, bytes_of(first), &who));
    keys_close(keys);
}

static void a_line_without_end_is_not_glued_to_the_next_key(void **state)
{
    (void)state;
    char key[80];
    struct principal who;
    write_file("# no line end", "w");
    add("shop", "reader", key);
    struct keys *const keys = open_keys();

    assert_true(keys_find(keys, bytes_of(key), &who));
    keys_close(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_key_that_was_made_is_found_with_its_name_and_role, remove_file),
        cmocka_unit_test_teardown(a_changed_key_is_not_found, remove_file),
        cmocka_unit_test_teardown(the_file_holds_no_key_and_is_for_its_owner_only, remove_file),
        cmocka_unit_test_teardown(a_name_is_taken_once, remove_file),
        cmocka_unit_test_teardown(wrong_names_and_roles_are_refused, remove_file),
        cmocka_unit_test_teardown(a_wrong_line_is_named, remove_file),
        cmocka_unit_test_teardown(
            a_file_that_changes_is_read_again_and_a_broken_one_leaves_the_old_keys, remove_file),
        cmocka_unit_test_teardown(a_line_without_end_is_not_glued_to_the_next_key, remove_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
