/* One command to many sagas, or the replay of many dead letters: made, watched, steered. */
#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/times.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAKE_WAIT_S = 115, POLL_MS = 300 };

/* ---- what it looks like ---- */

static struct table new_table(struct cli *cli)
{
    static const char *const HEADINGS[] = {"ID",     "VERB", "STATE", "TOTAL", "DONE",
                                           "FAILED", "RATE", "MADE",  "REASON"};
    struct table table = table_in(&cli->arena);
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&table, HEADINGS[i]);
    }
    return table;
}

static enum style style_of(const struct json_view *batch)
{
    if (json_is(batch, "state", "running")) return STYLE_BUSY;
    if (json_is(batch, "state", "done")) return STYLE_GOOD;
    return STYLE_WARN;
}

static void add_batch(struct cli *cli, struct table *table, const struct json_view *batch)
{
    static const char *const NUMBERS[] = {"total", "done", "failed", "rate_per_s"};
    char ago[TIMES_TEXT_SIZE];
    times_ago(times_now_ms(), json_time(batch, "created_at"), ago);
    table_add(table, STYLE_PLAIN, json_text(batch, "id"));
    table_add(table, STYLE_BOLD, json_text(batch, "verb"));
    table_add(table, style_of(batch), json_text(batch, "state"));
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        table_add(table, STYLE_PLAIN, json_plain(json_value(batch, NUMBERS[i]), &cli->arena));
    }
    table_add_text(table, STYLE_PLAIN, ago);
    table_add(table, STYLE_PLAIN, json_text(batch, "reason"));
}

static void print_table(struct cli *cli, const struct table *table)
{
    struct buffer out = buffer_in(&cli->arena);
    table_print(table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
}

static void print_batch(struct cli *cli, const struct answer *answer)
{
    if (cli_print_raw(cli, answer)) return;
    struct table table = new_table(cli);
    add_batch(cli, &table, answer->json);
    print_table(cli, &table);
}

static const char *batch_path(struct cli *cli, const char *id, const char *below)
{
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, "/v1/batches/");
    path_add(&path, id);
    buffer_add_text(&path, below);
    return path.data;
}

/* ---- making one ---- */

static const struct {
    enum option option;
    const char *member;
} FILTERS[] = {
    {OPTION_STATE,      "state"     },
    {OPTION_DEFINITION, "definition"},
    {OPTION_VERSION,    "version"   },
    {OPTION_LABEL,      "label"     },
    {OPTION_ATTRIBUTE,  "attribute" },
    {OPTION_ATTENTION,  "attention" },
    {OPTION_PARENT,     "parent"    },
    {OPTION_CAUSE,      "reason"    },
    {OPTION_TOPIC,      "topic"     },
};

static void add_name(struct buffer *object, const char *name)
{
    if (object->size > 1) buffer_add_char(object, ',');
    buffer_add_format(object, "\"%s\":", name);
}

static void add_list(struct cli *cli, struct buffer *filter, enum option option, const char *member)
{
    const char *value = arguments_nth(&cli->arguments, option, 0);
    if (value == NULL) return;
    add_name(filter, member);
    for (size_t n = 0; value != NULL; value = arguments_nth(&cli->arguments, option, ++n)) {
        buffer_add_char(filter, n == 0 ? '[' : ',');
        json_write_text(filter, value);
    }
    buffer_add_char(filter, ']');
}

/* A time, or a duration before now. */
static bool add_time(struct cli *cli, struct buffer *filter, enum option option, const char *member)
{
    const char *value = arguments_text(&cli->arguments, option);
    char printed[TIMES_TEXT_SIZE];
    uint64_t ago_ms = 0;
    if (value == NULL) return true;
    if (times_parse(bytes_of(value)) == 0) {
        if (!arguments_duration(&cli->arguments, option, 0, &ago_ms)) return false;
        times_print(times_now_ms() - (int64_t)ago_ms, printed);
        value = printed;
    }
    add_name(filter, member);
    json_write_text(filter, value);
    return true;
}

static bool add_filter(struct cli *cli, struct buffer *body)
{
    const char *failure = arguments_text(&cli->arguments, OPTION_FAILURE);
    struct buffer filter = buffer_in(&cli->arena);
    buffer_add_char(&filter, '{');
    if (failure != NULL) {
        add_name(&filter, "failure");
        json_write_text(&filter, failure);
    }
    for (size_t i = 0; i < sizeof FILTERS / sizeof FILTERS[0]; i++) {
        add_list(cli, &filter, FILTERS[i].option, FILTERS[i].member);
    }
    if (!add_time(cli, &filter, OPTION_CREATED_AFTER, "created_after") ||
        !add_time(cli, &filter, OPTION_CREATED_BEFORE, "created_before")) {
        return false;
    }
    buffer_add_char(&filter, '}');
    if (filter.size == 2 && cli_word(cli, 1) != NULL) return true; /* by ids */
    add_name(body, "filter");
    buffer_add_bytes(body, buffer_bytes(&filter));
    return true;
}

static void add_ids(struct cli *cli, struct buffer *body)
{
    if (cli_word(cli, 1) == NULL) return;
    add_name(body, "ids");
    for (size_t i = 1; cli_word(cli, i) != NULL; i++) {
        buffer_add_char(body, i == 1 ? '[' : ',');
        json_write_text(body, cli_word(cli, i));
    }
    buffer_add_char(body, ']');
}

static void add_option(struct cli *cli, struct buffer *body, enum option option, const char *member)
{
    const char *value = arguments_text(&cli->arguments, option);
    if (value == NULL) return;
    add_name(body, member);
    json_write_text(body, value);
}

static bool add_number(struct cli *cli, struct buffer *body, enum option option, int64_t least,
                       int64_t most, const char *member)
{
    int64_t number = 0;
    if (!arguments_has(&cli->arguments, option)) return true;
    if (!arguments_number(&cli->arguments, option, least, most, 0, &number)) return false;
    add_name(body, member);
    buffer_add_format(body, "%" PRId64, number);
    return true;
}

static bool add_json(struct cli *cli, struct buffer *body, enum option option, const char *member)
{
    const char *value = arguments_text(&cli->arguments, option);
    struct bytes json = {0};
    if (value == NULL) return true;
    if (!files_read_json(value, &cli->arena, &json)) return false;
    add_name(body, member);
    buffer_add_bytes(body, json);
    return true;
}

/* `batch migrate VERSION`: the version stands where others have their verb. */
static bool add_migration(struct cli *cli, struct buffer *body)
{
    const char *word = cli_word(cli, 0);
    char *end = NULL;
    const long version = strtol(word, &end, 10);
    if (version < 1 || version > INT32_MAX || *end != '\0') {
        tell_error(STATUS_USAGE, "'%s' is no version; versions are whole numbers from 1", word);
        return false;
    }
    add_name(body, "version");
    buffer_add_format(body, "%ld", version);
    return add_json(cli, body, OPTION_STEP_MAP, "step_map");
}

static bool make_body(struct cli *cli, const char *verb, struct bytes *ret_body)
{
    const bool migrates = strcmp(verb, "migrate") == 0;
    struct buffer body = buffer_in(&cli->arena);
    buffer_add_char(&body, '{');
    add_name(&body, "verb");
    json_write_text(&body, verb);
    if (migrates && !add_migration(cli, &body)) return false;
    add_option(cli, &body, OPTION_REASON, "reason");
    add_option(cli, &body, OPTION_STEP, "step");
    add_option(cli, &body, OPTION_NAME, "name");
    if (!add_number(cli, &body, OPTION_INDEX, 0, INT32_MAX, "index") ||
        !add_number(cli, &body, OPTION_RATE, 1, INT32_MAX, "rate_per_s") ||
        !add_filter(cli, &body)) {
        return false;
    }
    add_ids(cli, &body);
    if (!add_json(cli, &body, OPTION_RESULT, "output") ||
        !add_json(cli, &body, OPTION_PAYLOAD, "payload")) {
        return false;
    }
    buffer_add_char(&body, '}');
    *ret_body = buffer_bytes(&body);
    return true;
}

static enum status post_batch(struct cli *cli, struct bytes body, bool dry_run,
                              struct answer *ret_answer)
{
    const struct request request = {
        .method = "POST",
        .path = dry_run ? "/v1/batches?dry_run=true" : "/v1/batches",
        .body = body,
        .wait_s = MAKE_WAIT_S,
        .idempotency_key =
            dry_run ? NULL : arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    return client_call(cli->client, &request, &cli->arena, ret_answer);
}

static void tell_preview(struct cli *cli, const struct answer *answer)
{
    struct buffer ids = buffer_in(&cli->arena);
    for (const struct json_view *each = json_items(answer->json, "sample"); each != NULL;
         each = each->next) {
        buffer_add_char(&ids, ' ');
        buffer_add_bytes(&ids, json_plain(each, &cli->arena));
    }
    tell("%" PRId64 " items, among them:%s", json_int(answer->json, "total", 0),
         ids.data == NULL ? " none" : ids.data);
}

static bool can_ask(const struct cli *cli)
{
    return !arguments_has(&cli->arguments, OPTION_YES) && isatty(STDIN_FILENO) == 1 &&
           isatty(STDERR_FILENO) == 1;
}

/* OK: go on. */
static enum status ask(struct cli *cli, const char *verb, struct bytes body)
{
    struct answer answer;
    if (!can_ask(cli)) {
        if (arguments_has(&cli->arguments, OPTION_YES)) return STATUS_OK;
        return tell_error(STATUS_USAGE,
                          "a batch touches many: look with --dry-run, then say --yes");
    }
    const enum status status = post_batch(cli, body, true, &answer);
    if (status != STATUS_OK) return status;
    tell_preview(cli, &answer);
    if (cli_confirm(cli, "%s all of them?", verb)) return STATUS_OK;
    tell("left as it is");
    return STATUS_ERROR;
}

/* Until it is done or stopped; the last answer. ENDED: not everything went well. */
static enum status wait_for(struct cli *cli, const char *id, struct answer *ret_answer)
{
    const struct request request = {.path = batch_path(cli, id, "")};
    for (;;) {
        const enum status status = client_call(cli->client, &request, &cli->arena, ret_answer);
        if (status != STATUS_OK) return status;
        const bool done = json_is(ret_answer->json, "state", "done");
        if (done && json_int(ret_answer->json, "failed", 0) == 0) return STATUS_OK;
        if (done || json_is(ret_answer->json, "state", "stopped")) return STATUS_ENDED;
        if (client_left_ms(cli->client) <= POLL_MS) {
            return tell_error(STATUS_TIMEOUT, "%s: the time is over", id);
        }
        times_sleep_ms(POLL_MS);
    }
}

static const char *id_of(struct cli *cli, const struct answer *answer)
{
    const struct bytes id = json_text(answer->json, "id");
    return id.data == NULL ? "" : bytes_copy(&cli->arena, id).data;
}

static enum status start_batch(struct cli *cli, const char *verb)
{
    struct bytes body;
    struct answer answer;
    if (!arguments_has(&cli->arguments, OPTION_REASON)) {
        return tell_error(STATUS_USAGE, "a batch needs a --reason");
    }
    if (!make_body(cli, verb, &body)) return STATUS_USAGE;
    if (arguments_has(&cli->arguments, OPTION_DRY_RUN)) {
        const enum status status = post_batch(cli, body, true, &answer);
        if (status != STATUS_OK || cli_print_raw(cli, &answer)) return status;
        tell_preview(cli, &answer);
        return STATUS_OK;
    }
    enum status status = ask(cli, verb, body);
    if (status == STATUS_OK) status = post_batch(cli, body, false, &answer);
    if (status != STATUS_OK) return status;
    if (arguments_has(&cli->arguments, OPTION_WAIT)) {
        status = wait_for(cli, id_of(cli, &answer), &answer);
        if (status != STATUS_OK && status != STATUS_ENDED) return status;
    }
    print_batch(cli, &answer);
    return status;
}

enum status run_batch_start(struct cli *cli)
{
    if (strcmp(cli_word(cli, 0), "migrate") == 0) {
        return tell_error(STATUS_USAGE, "say `batch migrate VERSION`");
    }
    return start_batch(cli, cli_word(cli, 0));
}

enum status run_batch_migrate(struct cli *cli)
{
    return start_batch(cli, "migrate");
}

/* ---- looking ---- */

struct rows {
    struct cli *cli;
    struct table table;
};

static void add_row(void *context, const struct json_view *item)
{
    struct rows *rows = context;
    add_batch(rows->cli, &rows->table, item);
}

enum status run_batch_list(struct cli *cli)
{
    enum { SHOWN = 50 };
    struct pages pages;
    if (!pages_begin(cli, "/v1/batches", SHOWN, &pages)) return STATUS_USAGE;
    struct rows rows = {.cli = cli, .table = new_table(cli)};
    return pages_print_table(&pages, add_row, &rows, &rows.table, "no batches");
}

enum status run_batch_get(struct cli *cli)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        const struct request request = {.path = batch_path(cli, cli_word(cli, i), "")};
        struct answer answer;
        const enum status one = client_call(cli->client, &request, &cli->arena, &answer);
        if (one == STATUS_OK) print_batch(cli, &answer);
        status = status_first(status, one);
    }
    return status;
}

enum status run_batch_wait(struct cli *cli)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        struct answer answer;
        const enum status one = wait_for(cli, cli_word(cli, i), &answer);
        if (one == STATUS_OK || one == STATUS_ENDED) print_batch(cli, &answer);
        status = status_first(status, one);
    }
    return status;
}

static void add_item(void *context, const struct json_view *item)
{
    struct rows *rows = context;
    struct arena *arena = &rows->cli->arena;
    const struct json_view *problem = json_value(item, "problem");
    const bool failed = json_is(item, "state", "failed");
    table_add(&rows->table, STYLE_DIM, json_plain(json_value(item, "seq"), arena));
    table_add(&rows->table, STYLE_PLAIN, json_text(item, "id"));
    table_add(&rows->table, failed ? STYLE_BAD : STYLE_PLAIN, json_text(item, "state"));
    table_add(&rows->table, STYLE_PLAIN,
              problem == NULL ? (struct bytes){0} : json_text(problem, "detail"));
}

enum status run_batch_items(struct cli *cli)
{
    static const char *const HEADINGS[] = {"SEQ", "ID", "STATE", "PROBLEM"};
    enum { SHOWN = 50 };
    struct pages pages;
    struct buffer path = buffer_in(&cli->arena);
    buffer_add_text(&path, batch_path(cli, cli_word(cli, 0), "/items"));
    if (arguments_has(&cli->arguments, OPTION_FAILED)) path_add_query(&path, "failed", "true");
    if (!pages_begin(cli, path.data, SHOWN, &pages)) return STATUS_USAGE;
    struct rows rows = {.cli = cli, .table = table_in(&cli->arena)};
    for (size_t i = 0; i < sizeof HEADINGS / sizeof HEADINGS[0]; i++) {
        table_column(&rows.table, HEADINGS[i]);
    }
    return pages_print_table(&pages, add_item, &rows, &rows.table, "no items");
}

/* ---- steering ---- */

static enum status steer(struct cli *cli, const char *id, const char *below)
{
    const char *reason = arguments_text(&cli->arguments, OPTION_REASON);
    struct buffer body = buffer_in(&cli->arena);
    struct answer answer;
    buffer_add_char(&body, '{');
    if (reason != NULL) {
        add_name(&body, "reason");
        json_write_text(&body, reason);
    }
    buffer_add_char(&body, '}');
    const struct request request = {.method = "POST",
                                    .path = batch_path(cli, id, below),
                                    .body = buffer_bytes(&body),
                                    .idempotency_key =
                                        arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    const enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status == STATUS_OK) print_batch(cli, &answer);
    return status;
}

static enum status steer_each(struct cli *cli, const char *below)
{
    if (!cli_key_fits(cli)) return STATUS_USAGE;
    enum status status = STATUS_OK;
    for (size_t i = 0; cli_word(cli, i) != NULL; i++) {
        status = status_first(status, steer(cli, cli_word(cli, i), below));
    }
    return status;
}

enum status run_batch_pause(struct cli *cli)
{
    return steer_each(cli, "/pause");
}

enum status run_batch_resume(struct cli *cli)
{
    return steer_each(cli, "/resume");
}

enum status run_batch_stop(struct cli *cli)
{
    return steer_each(cli, "/stop");
}
