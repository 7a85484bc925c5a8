/*
 * tests/integration/test_store_list.c
 *   What operators look at: lists by filter, history, counts, definitions.
 */
#include "tests/integration/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* ---- a world of 240 sagas in which every filter finds some ---- */

enum { SAGAS = 240, ODD = 20, STATES = SAGA_STATE_COUNT };

static const int64_t EPOCH = 1700000000000; /* of given_id */

static const char *namespace_name;
static struct store *store;
static struct saga_write sagas[SAGAS];
static int64_t definition_ids[4]; /* alpha 1, alpha 2, beta 1, inline of alpha */
static const char *const REGIONS[] = {"de", "fr", "us"};
static char long_value[2][400]; /* differ only at their ends */

static int64_t definition_version(const char *name, uint8_t print)
{
    uint8_t hash[DEFINITION_HASH_SIZE];
    memset(hash, print, sizeof(hash));
    struct definition_row row;
    bool is_new = false;
    OK(store_definition_put(store, bytes_of(name), hash, BYTES("{}"), 0, &fixture_arena, &row,
                            &is_new, &err));
    return row.id;
}

static void make_definitions(void)
{
    const uint8_t hash[DEFINITION_HASH_SIZE] = {1};
    struct definition_row row;
    definition_ids[0] = definition_version("alpha", 1);
    definition_ids[1] = definition_version("alpha", 2);
    definition_ids[2] = definition_version("beta", 1);
    OK(store_definition_put_inline(store, BYTES("alpha"), hash, BYTES("{}"), &fixture_arena, &row,
                                   &err));
    definition_ids[3] = row.id;
}

static void add_tags(struct saga_write *saga, size_t i)
{
    struct tag_write *const tags = arena_array(&fixture_arena, 3, sizeof(*tags));
    tags[0] = (struct tag_write){'l', BYTES("region"), bytes_of(REGIONS[i % 3])};
    tags[1] = (struct tag_write){'a', BYTES("region"), BYTES("attribute")};
    tags[2] = (struct tag_write){
        'a', BYTES("note"), {long_value[i % 2], sizeof(long_value[0])}
    };
    saga->tags = tags;
    saga->tag_count = i % 5 == 0 ? 0 : 3;
}

static int make_world(void **state)
{
    if (fixture_start(state) != 0) return -1;
    namespace_name = given_namespace();
    store = given_store_at(private_postgres_url(fixture_postgres), namespace_name);
    struct store *const elsewhere = given_store();
    make_definitions();
    memset(long_value, 'x', sizeof(long_value));
    long_value[1][sizeof(long_value[1]) - 1] = 'y';
    for (size_t i = 0; i < SAGAS; i++) {
        sagas[i] = fresh_saga(given_id(), definition_ids[i % 4]);
        sagas[i].state = (enum saga_state)(i / 4 % STATES);
        sagas[i].attention = i % 6 == 0 ? ATTENTION_STUCK : i % 10 == 0 ? ATTENTION_HELD : 0;
        sagas[i].created_at_ms = EPOCH + (int64_t)i;
        if (i >= SAGAS - ODD) sagas[i].id.byte[0] = 0xF0; /* tells another time */
        if (i >= SAGAS - ODD / 2) {
            sagas[i].id.byte[0] = 0xF1, sagas[i].id.byte[6] = 0x4F; /* a UUIDv4 */
        }
        add_tags(&sagas[i], i);
    }
    commit_fresh(store, sagas, SAGAS);
    commit_fresh(elsewhere, sagas, SAGAS);
    store_close(elsewhere);
    return 0;
}

static int unmake_world(void **state)
{
    store_close(store);
    return fixture_stop(state);
}

/* ---- what a list must hold, said in C ---- */

static bool tag_is(const struct saga_write *saga, const struct tag_write *wanted)
{
    for (size_t i = 0; i < saga->tag_count; i++) {
        if (saga->tags[i].kind == wanted->kind && bytes_equal(saga->tags[i].name, wanted->name) &&
            bytes_equal(saga->tags[i].value, wanted->value)) {
            return true;
        }
    }
    return false;
}

static bool tags_match(const struct saga_write *saga, const struct saga_filter *filter)
{
    for (size_t i = 0; i < filter->tag_count; i++) {
        bool met = false;
        for (size_t j = 0; j < filter->tag_count; j++) {
            met = met || (filter->tags[i].kind == filter->tags[j].kind &&
                          bytes_equal(filter->tags[i].name, filter->tags[j].name) &&
                          tag_is(saga, &filter->tags[j]));
        }
        if (!met) return false;
    }
    return true;
}

static bool definition_matches(const struct saga_write *saga, const struct saga_filter *filter)
{
    static const struct {
        const char *name;
        uint32_t version;
    } DEFINITIONS[] = {
        {"alpha", 1},
        {"alpha", 2},
        {"beta",  1},
        {"alpha", 0}
    };
    size_t place = 0;
    while (definition_ids[place] != saga->definition_id) {
        place++;
    }
    bool named = filter->definition_count == 0;
    for (size_t i = 0; i < filter->definition_count; i++) {
        named = named || bytes_equal_text(filter->definitions[i], DEFINITIONS[place].name);
    }
    return named && (filter->version == 0 || filter->version == DEFINITIONS[place].version);
}

static bool matches(const struct saga_write *saga, const struct saga_filter *filter)
{
    bool state = filter->state_count == 0;
    for (size_t i = 0; i < filter->state_count; i++) {
        state = state || filter->states[i] == saga->state;
    }
    return state && definition_matches(saga, filter) && tags_match(saga, filter) &&
           (filter->attention == 0 || (saga->attention & filter->attention) != 0) &&
           (filter->created_after_ms == 0 || saga->created_at_ms > filter->created_after_ms) &&
           (filter->created_before_ms == 0 || saga->created_at_ms < filter->created_before_ms);
}

/* Counted they are as many, and where the bound is below that the answer is a guess of no less. */
static void check_count(struct saga_filter filter, size_t total)
{
    struct saga_count count = {0};
    filter.limit = total;
    OK(store_count(store, &filter, 5000, &count, &err));
    assert_true(count.exact);
    assert_int_equal(count.count, total);
    if (total == 0) return;
    filter.limit = total - 1;
    OK(store_count(store, &filter, 5000, &count, &err));
    assert_false(count.exact);
    assert_true(count.count >= (int64_t)total);
}

/* Page by page, newest first; how many there were. */
static size_t check(struct saga_filter filter)
{
    size_t total = 0;
    size_t i = SAGAS;
    for (;;) {
        struct saga_row *rows = NULL;
        size_t count = 0;
        OK(store_list(store, &filter, &fixture_arena, &rows, &count, &err));
        assert_true(count <= filter.limit);
        for (size_t j = 0; j < count; j++) {
            while (i > 0 && !matches(&sagas[i - 1], &filter)) {
                i--;
            }
            if (i == 0) fail_msg("a row too many after %zu", total + j);
            i--;
            assert_true(uuid_equal(&rows[j].id, &sagas[i].id));
        }
        total += count;
        if (count < filter.limit) break;
        filter.has_before = true;
        filter.before = rows[count - 1].id;
    }
    while (i > 0 && !matches(&sagas[i - 1], &filter)) {
        i--;
    }
    if (i != 0) fail_msg("rows are missing after %zu", total);
    filter.has_before = false;
    check_count(filter, total);
    return total;
}

/* ---- tests ---- */

static void every_filter_gives_exactly_its_sagas(void **state)
{
    (void)state;
    static const enum saga_state STUCK[] = {SAGA_STUCK, SAGA_RUNNING};
    static const enum saga_state ENDED[] = {SAGA_SUCCEEDED, SAGA_TERMINATED};
    static const struct bytes BOTH[] = {BYTES("beta"), BYTES("alpha")};
    const struct tag_write tags[] = {
        {'l', BYTES("region"), BYTES("de")                           },
        {'l', BYTES("region"), BYTES("fr")                           },
        {'a', BYTES("region"), BYTES("attribute")                    },
        {'a', BYTES("note"),   {long_value[1], sizeof(long_value[1])}},
    };
    /* clang-format off */
    const struct saga_filter filters[] = {
        {.limit = 7},
        {.limit = 500},
        {.limit = 7, .states = STUCK, .state_count = 2},
        {.limit = 7, .states = STUCK, .state_count = 1},
        {.limit = 7, .states = ENDED, .state_count = 2},
        {.limit = 7, .definitions = BOTH, .definition_count = 1},
        {.limit = 7, .definitions = BOTH + 1, .definition_count = 1},
        {.limit = 7, .definitions = BOTH, .definition_count = 2},
        {.limit = 7, .definitions = BOTH + 1, .definition_count = 1, .version = 2},
        {.limit = 7, .version = 1},
        {.limit = 7, .attention = ATTENTION_STUCK},
        {.limit = 7, .attention = ATTENTION_STUCK | ATTENTION_HELD},
        {.limit = 7, .tags = tags, .tag_count = 1},
        {.limit = 7, .tags = tags, .tag_count = 2},
        {.limit = 7, .tags = tags, .tag_count = 3},
        {.limit = 7, .tags = tags + 1, .tag_count = 3},
        {.limit = 7, .tags = tags + 3, .tag_count = 1},
        {.limit = 7, .created_after_ms = EPOCH + 100, .created_before_ms = EPOCH + 200},
        {.limit = 7, .created_before_ms = EPOCH + 5},
        {.limit = 7, .created_after_ms = EPOCH + 200},
        {.limit = 7, .created_after_ms = EPOCH + 200, .definitions = BOTH, .definition_count = 1},
        {.limit = 7, .created_after_ms = 1, .created_before_ms = INT64_MAX / 2},
        {.limit = 7, .states = STUCK, .state_count = 2, .definitions = BOTH, .definition_count = 1},
        {.limit = 7, .states = ENDED, .state_count = 2, .definitions = BOTH, .definition_count = 1},
        {.limit = 3, .states = ENDED, .state_count = 1, .tags = tags, .tag_count = 2},
        {.limit = 3, .definitions = BOTH + 1, .definition_count = 1, .tags = tags, .tag_count = 3,
         .attention = ATTENTION_STUCK, .created_after_ms = EPOCH + 10},
        {.limit = 3, .attention = ATTENTION_HELD, .states = STUCK, .state_count = 2, .version = 1},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        const size_t count = check(filters[i]);
        if (count == 0) fail_msg("filter %zu finds nothing", i);
    }
}

static void a_filter_that_nothing_meets_gives_nothing(void **state)
{
    (void)state;
    static const struct bytes NOBODY = BYTES("nobody");
    const struct tag_write other = {'l', BYTES("region"), BYTES("attribute")};
    const struct saga_filter filters[] = {
        {.limit = 7,      .definitions = &NOBODY, .definition_count = 1},
        {.limit = 7,               .version = 9                           },
        {.limit = 7,               .attention = ATTENTION_OVERDUE},
        {.limit = 7,               .tags = &other,                            .tag_count = 1},
        {.limit = 7, .created_before_ms = EPOCH},
    };
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        assert_int_equal(check(filters[i]), 0);
    }
}

static void a_slow_count_is_estimated(void **state)
{
    (void)state;
    const struct tag_write tag = {'l', BYTES("region"), BYTES("de")};
    const struct saga_filter filter = {.limit = 1000, .tags = &tag, .tag_count = 1};
    struct saga_count count = {.exact = true};
    (void)ask(
        "alter function sagad.count_tags(int, uuid, \"char\"[], text[], text[], text[]) "
        "rename to count_tags_as_it_was");
    (void)ask(
        "create function sagad.count_tags(int, uuid, \"char\"[], text[], text[], text[]) "
        "returns bigint language sql volatile as 'select 1::bigint from pg_sleep(0.02)'");
    (void)ask("analyze sagad.saga, sagad.saga_tag");

    struct store *const other =
        given_store_at(private_postgres_url(fixture_postgres), namespace_name);
    OK(store_count(other, &filter, 50, &count, &err));
    store_close(other);

    assert_false(count.exact);
    assert_in_range(count.count, 1, SAGAS);
    (void)ask("drop function sagad.count_tags(int, uuid, \"char\"[], text[], text[], text[])");
    (void)ask(
        "alter function sagad.count_tags_as_it_was(int, uuid, \"char\"[], text[], text[], "
        "text[]) rename to count_tags");
}

static void a_listed_saga_has_its_fields_but_no_input(void **state)
{
    (void)state;
    const struct saga_filter filter = {.limit = 1};
    struct saga_row *rows = NULL;
    size_t count = 0;

    OK(store_list(store, &filter, &fixture_arena, &rows, &count, &err));

    const struct saga_write *const saga = &sagas[SAGAS - 1];
    assert_int_equal(count, 1);
    assert_true(rows[0].found);
    assert_int_equal(rows[0].definition_id, saga->definition_id);
    assert_int_equal(rows[0].state, saga->state);
    assert_int_equal(rows[0].revision, 1);
    assert_int_equal(rows[0].created_at_ms, saga->created_at_ms);
    assert_bytes(rows[0].packed, "packed 1");
    assert_bytes(rows[0].labels, "{}");
    assert_bytes(rows[0].input, NULL);
}

static void open_sagas_are_counted_by_definition_state_and_attention(void **state)
{
    (void)state;
    struct state_count *rows = NULL;
    size_t count = 0;
    OK(store_count_open(store, 0, &fixture_arena, &rows, &count, &err));

    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t expected = 0;
        for (size_t j = 0; j < SAGAS; j++) {
            expected += bytes_equal_text(rows[i].definition, j % 4 == 2 ? "beta" : "alpha") &&
                        rows[i].state == sagas[j].state && rows[i].attention == sagas[j].attention;
        }
        assert_int_equal(rows[i].count, expected);
        assert_true(rows[i].state != SAGA_SUCCEEDED && rows[i].state != SAGA_COMPENSATED &&
                    rows[i].state != SAGA_TERMINATED);
        total += rows[i].count;
    }
    int64_t open = 0;
    for (size_t j = 0; j < SAGAS; j++) {
        open += !(sagas[j].state == SAGA_SUCCEEDED || sagas[j].state == SAGA_COMPENSATED ||
                  sagas[j].state == SAGA_TERMINATED);
    }
    assert_int_equal(total, open);
}

/* ---- history ---- */

/* A saga with three rows of history, of two, one and three entries. */
static struct uuid given_history(struct store *at)
{
    const struct saga_write saga = fresh_saga(given_id(), 1);
    struct history_write histories[] = {history_of(&saga, 1), history_of(&saga, 3),
                                        history_of(&saga, 4)};
    histories[0].count = 2;
    histories[2].count = 3;
    histories[1].payload = BYTES("{\"p\":0.10}");
    histories[1].output = BYTES("1");
    histories[1].at_ms = 77;
    COMMIT_OK(at, .sagas = &saga, .saga_count = 1, .histories = histories, .history_count = 3);
    return saga.id;
}

/* As such a saga was written before there was a place beside the start. */
static struct uuid given_history_of_before(struct store *at)
{
    const struct uuid id = given_history(at);
    char text[UUID_TEXT_SIZE];
    uuid_print(&id, text);
    (void)ask(
        "with start as (update sagad.saga_start c set first_count = default, first_entries = null"
        "                 from (select * from sagad.saga_start) before"
        "                where c.id = '%s' and before.id = c.id"
        "               returning c.namespace_id, c.id, before.first_count, before.first_entries)"
        "insert into sagad.history (namespace_id, saga_id, seq, count, revision, at, entries)"
        " select c.namespace_id, c.id, 1, c.first_count, 1, s.created_at, c.first_entries"
        "   from start c join sagad.saga s on s.id = c.id",
        text);
    return id;
}

static int64_t rows_in_history(const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    uuid_print(id, text);
    return ask_number("select count(*) from sagad.history where saga_id = '%s'", text);
}

static struct history_row *history_after(struct store *at, const struct uuid *id, uint32_t after,
                                         size_t limit, size_t *ret_count)
{
    struct history_row *rows = NULL;
    OK(store_history(at, id, after, limit, &fixture_arena, &rows, ret_count, &err));
    return rows;
}

static void assert_history_goes_on_after_any_entry(struct store *at, const struct uuid *id)
{
    static const struct {
        uint32_t after;
        size_t rows;
        uint32_t first;
    } CASES[] = {
        {0,          3, 1},
        {1,          3, 1},
        {2,          2, 3},
        {3,          1, 4},
        {4,          1, 4},
        {5,          1, 4},
        {6,          0, 0},
        {UINT32_MAX, 0, 0}
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const struct history_row *const rows = history_after(at, id, CASES[i].after, 10, &count);
        assert_int_equal(count, CASES[i].rows);
        if (count > 0) assert_int_equal(rows[0].seq, CASES[i].first);
    }
    for (size_t limit = 1; limit <= 3; limit++) {
        const struct history_row *const rows = history_after(at, id, 0, limit, &count);
        assert_int_equal(count, limit);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(rows[i].seq, i == 0 ? 1 : 2 + i);
        }
    }
}

static void history_goes_on_after_any_entry(void **state)
{
    (void)state;
    struct store *const at = given_store();
    const struct uuid id = given_history(at);

    assert_history_goes_on_after_any_entry(at, &id);

    assert_int_equal(rows_in_history(&id), 2);
    size_t count = 0;
    const struct history_row *const rows = history_after(at, &id, 2, 1, &count);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].count, 1);
    assert_int_equal(rows[0].revision, 1);
    assert_int_equal(rows[0].at_ms, 77);
    assert_bytes(rows[0].entries, "[{}]");
    assert_bytes(rows[0].payload, "{\"p\":0.10}");
    assert_bytes(rows[0].output, "1");
    store_close(at);
}

static void history_written_before_is_read_all_the_same(void **state)
{
    (void)state;
    struct store *const at = given_store();
    const struct uuid id = given_history_of_before(at);

    assert_history_goes_on_after_any_entry(at, &id);

    assert_int_equal(rows_in_history(&id), 3);
    store_close(at);
}

/* What the other columns do not tell stays where it can be told. */
static void only_a_first_row_that_follows_from_the_saga_lies_beside_its_start(void **state)
{
    (void)state;
    struct store *const at = given_store();
    enum { CASES = 7, BESIDE = 3 };
    struct saga_write begun[CASES];
    struct history_write histories[CASES];
    for (size_t i = 0; i < CASES; i++) {
        begun[i] = fresh_saga(given_id(), 1);
        histories[i] = history_of(&begun[i], 1);
    }
    histories[0].payload = BYTES("{\"p\":1}");
    histories[1].output = BYTES("2");
    histories[2].revision = 2;
    histories[4].at_ms++;
    histories[5].seq = 2;
    histories[6].id = given_id(); /* of no saga of the batch */

    COMMIT_OK(at, .sagas = begun, .saga_count = CASES, .histories = histories,
              .history_count = CASES);

    size_t count = 0;
    for (size_t i = 0; i < CASES - 1; i++) {
        const struct history_row *const rows = history_after(at, &begun[i].id, 0, 10, &count);
        assert_int_equal(count, 1);
        assert_int_equal(rows[0].seq, histories[i].seq);
        assert_int_equal(rows[0].count, 1);
        assert_int_equal(rows[0].revision, histories[i].revision);
        assert_int_equal(rows[0].at_ms, histories[i].at_ms);
        assert_true(bytes_equal(rows[0].entries, histories[i].entries));
        assert_true(bytes_equal(rows[0].payload, histories[i].payload));
        assert_true(bytes_equal(rows[0].output, histories[i].output));
        assert_int_equal(rows_in_history(&begun[i].id), i == BESIDE ? 0 : 1);
    }
    assert_int_equal(rows_in_history(&histories[6].id), 1);
    assert_bytes(loaded(at, begun[0].id).payloads[0].payload, "{\"p\":1}");
    assert_bytes(loaded(at, begun[1].id).payloads[0].output, "2");
    store_close(at);
}

static void a_saga_that_is_gone_has_no_history(void **state)
{
    (void)state;
    struct store *const at = given_store();
    const struct uuid id = given_history(at);
    char text[UUID_TEXT_SIZE];
    uuid_print(&id, text);
    (void)ask("delete from sagad.saga where id = '%s'", text);

    size_t count = 1;
    (void)history_after(at, &id, 0, 10, &count);

    assert_int_equal(count, 0);
    store_close(at);
}

/* ---- definitions ---- */

static bool put(struct store *at, const char *name, uint8_t print, uint32_t stated,
                struct definition_row *ret_row, bool *ret_new, struct err *err)
{
    uint8_t hash[DEFINITION_HASH_SIZE];
    memset(hash, print, sizeof(hash));
    return store_definition_put(at, bytes_of(name), hash, BYTES("{\"n\": 1.0}"), stated,
                                &fixture_arena, ret_row, ret_new, err);
}

static void content_makes_versions(void **state)
{
    (void)state;
    struct store *const at = given_store();
    struct definition_row row;
    bool is_new = false;

    OK(put(at, "order", 1, 0, &row, &is_new, &err));
    assert_true(is_new);
    assert_int_equal(row.version, 1);
    const int64_t first = row.id;
    OK(put(at, "order", 2, 2, &row, &is_new, &err));
    assert_true(is_new);
    assert_int_equal(row.version, 2);
    OK(put(at, "order", 1, 0, &row, &is_new, &err));
    assert_false(is_new);
    assert_int_equal(row.version, 1);
    assert_int_equal(row.id, first);
    assert_bytes(row.source, "{\"n\": 1.0}");
    assert_int_equal(row.hash[31], 1);
    store_close(at);
}

static void a_wrong_stated_version_names_the_next(void **state)
{
    (void)state;
    struct store *const at = given_store();
    struct definition_row row;
    bool is_new = false;
    struct err failure = {0};
    OK(put(at, "order", 1, 1, &row, &is_new, &err));

    assert_false(put(at, "order", 2, 7, &row, &is_new, &failure));
    assert_int_equal(failure.kind, ERR_INVALID);
    assert_non_null(strstr(failure.text, "next one is 2"));
    assert_false(put(at, "order", 1, 2, &row, &is_new, &failure));
    assert_int_equal(failure.kind, ERR_INVALID);
    struct definition_row *rows = NULL;
    size_t count = 0;
    OK(store_definition_versions(at, BYTES("order"), &fixture_arena, &rows, &count, &err));
    assert_int_equal(count, 1);
    store_close(at);
}

static void an_inline_definition_is_kept_once_and_is_no_version(void **state)
{
    (void)state;
    struct store *const at = given_store();
    const uint8_t hash[DEFINITION_HASH_SIZE] = {9};
    struct definition_row first;
    struct definition_row second;
    OK(store_definition_put_inline(at, BYTES("i"), hash, BYTES("{}"), &fixture_arena, &first,
                                   &err));
    OK(store_definition_put_inline(at, BYTES("i"), hash, BYTES("{}"), &fixture_arena, &second,
                                   &err));

    assert_int_equal(first.id, second.id);
    assert_int_equal(first.version, 0);
    struct definition_row row;
    FAILS(ERR_NOT_FOUND, store_definition_by_name(at, BYTES("i"), 0, &fixture_arena, &row, &err));
    OK(store_definition_by_id(at, first.id, &fixture_arena, &row, &err));
    assert_bytes(row.name, "i");
    store_close(at);
}

static void definitions_are_found_in_their_namespace_only(void **state)
{
    (void)state;
    struct store *const at = given_store();
    struct definition_row row;
    OK(store_definition_by_id(store, definition_ids[0], &fixture_arena, &row, &err));
    OK(store_definition_by_name(store, BYTES("alpha"), 0, &fixture_arena, &row, &err));
    assert_int_equal(row.version, 2);
    OK(store_definition_by_name(store, BYTES("alpha"), 1, &fixture_arena, &row, &err));
    assert_int_equal(row.version, 1);

    FAILS(ERR_NOT_FOUND, store_definition_by_id(at, definition_ids[0], &fixture_arena, &row, &err));
    FAILS(ERR_NOT_FOUND,
          store_definition_by_name(at, BYTES("alpha"), 0, &fixture_arena, &row, &err));
    FAILS(ERR_NOT_FOUND,
          store_definition_by_name(store, BYTES("alpha"), 3, &fixture_arena, &row, &err));
    store_close(at);
}

static void the_list_shows_the_newest_of_each_name(void **state)
{
    (void)state;
    struct store *const at = given_store();
    struct definition_row row;
    bool is_new = false;
    static const char *const NAMES[] = {"b", "B", "a-1", "a.1", "c"};
    for (size_t i = 0; i < 5; i++) {
        for (uint8_t version = 1; version <= 3; version++) {
            OK(put(at, NAMES[i], version, 0, &row, &is_new, &err));
        }
    }
    static const char *const SORTED[] = {"B", "a-1", "a.1", "b", "c"};

    struct bytes after = {0};
    for (size_t i = 0; i < 6; i += 2) {
        struct definition_row *rows = NULL;
        size_t count = 0;
        OK(store_definition_list(at, after, 2, &fixture_arena, &rows, &count, &err));
        assert_int_equal(count, i == 4 ? 1 : 2);
        for (size_t j = 0; j < count; j++) {
            assert_bytes(rows[j].name, SORTED[i + j]);
            assert_int_equal(rows[j].version, 3);
        }
        after = rows[count - 1].name;
    }
    store_close(at);
}

static void a_pause_is_of_the_name_and_a_deprecation_of_the_version(void **state)
{
    (void)state;
    struct store *const at = given_store();
    struct definition_row row;
    bool is_new = false;
    OK(put(at, "d", 1, 0, &row, &is_new, &err));
    OK(put(at, "d", 2, 0, &row, &is_new, &err));
    assert_false(row.paused || row.deprecated);

    OK(store_definition_set(at, BYTES("d"), 0, DEFINITION_PAUSED, true, &err));
    OK(store_definition_set(at, BYTES("d"), 1, DEFINITION_DEPRECATED, true, &err));
    struct definition_row *rows = NULL;
    size_t count = 0;
    OK(store_definition_versions(at, BYTES("d"), &fixture_arena, &rows, &count, &err));
    assert_int_equal(count, 2);
    assert_true(rows[0].version == 2 && rows[0].paused && !rows[0].deprecated);
    assert_true(rows[1].version == 1 && rows[1].paused && rows[1].deprecated);

    OK(store_definition_set(at, BYTES("d"), 0, DEFINITION_PAUSED, false, &err));
    OK(store_definition_set(at, BYTES("d"), 1, DEFINITION_DEPRECATED, false, &err));
    OK(store_definition_by_name(at, BYTES("d"), 1, &fixture_arena, &row, &err));
    assert_false(row.paused || row.deprecated);
    FAILS(ERR_NOT_FOUND, store_definition_set(at, BYTES("x"), 0, DEFINITION_PAUSED, true, &err));
    FAILS(ERR_NOT_FOUND,
          store_definition_set(at, BYTES("d"), 3, DEFINITION_DEPRECATED, true, &err));
    store_close(at);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_filter_gives_exactly_its_sagas),
        cmocka_unit_test(a_filter_that_nothing_meets_gives_nothing),
        cmocka_unit_test(a_slow_count_is_estimated),
        cmocka_unit_test(a_listed_saga_has_its_fields_but_no_input),
        cmocka_unit_test(open_sagas_are_counted_by_definition_state_and_attention),
        cmocka_unit_test(history_goes_on_after_any_entry),
        cmocka_unit_test(history_written_before_is_read_all_the_same),
        cmocka_unit_test(only_a_first_row_that_follows_from_the_saga_lies_beside_its_start),
        cmocka_unit_test(a_saga_that_is_gone_has_no_history),
        cmocka_unit_test(content_makes_versions),
        cmocka_unit_test(a_wrong_stated_version_names_the_next),
        cmocka_unit_test(an_inline_definition_is_kept_once_and_is_no_version),
        cmocka_unit_test(definitions_are_found_in_their_namespace_only),
        cmocka_unit_test(the_list_shows_the_newest_of_each_name),
        cmocka_unit_test(a_pause_is_of_the_name_and_a_deprecation_of_the_version),
    };
    return cmocka_run_group_tests(tests, make_world, unmake_world);
}

int main(void)
{
    return fixture_run_or_skip(run);
}
