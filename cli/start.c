#include "cli/start.h"

#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"
#include "cli/sagas.h"
#include "cli/times.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { LINES_SIZE_MAX = 1024 * 1024 * 1024 };

static void write_labels(const struct start *start, struct buffer *body)
{
    if (start->label_count == 0) return;
    buffer_add_text(body, ",\"labels\":{");
    for (size_t i = 0; i < start->label_count; i++) {
        const char *equals = strchr(start->label[i], '=');
        const struct bytes key = {start->label[i], (size_t)(equals - start->label[i])};
        if (i > 0) buffer_add_char(body, ',');
        json_write_string(body, key);
        buffer_add_char(body, ':');
        json_write_text(body, equals + 1);
    }
    buffer_add_char(body, '}');
}

static void write_text(struct buffer *body, const char *name, const char *value)
{
    if (value == NULL) return;
    buffer_add_format(body, ",\"%s\":", name);
    json_write_text(body, value);
}

void start_write(const struct start *start, struct bytes input, struct buffer *body)
{
    buffer_add_text(body, "{\"definition\":");
    if (start->version > 0) {
        buffer_add_text(body, "{\"name\":");
        json_write_text(body, start->definition);
        buffer_add_format(body, ",\"version\":%" PRId64 "}", start->version);
    } else {
        json_write_text(body, start->definition);
    }
    buffer_add_text(body, ",\"input\":");
    buffer_add_bytes(body, input.data != NULL ? input : BYTES("{}"));
    write_text(body, "id", start->id);
    write_text(body, "start_at", start->start_at);
    write_text(body, "if_exists", start->if_exists);
    write_labels(start, body);
    buffer_add_char(body, '}');
}

/* RFC 3339 as it is, a duration counts from now. */
static bool read_start_at(struct cli *cli, const char **ret_text)
{
    const char *value = arguments_text(&cli->arguments, OPTION_START_AT);
    *ret_text = value;
    if (value == NULL || times_parse(bytes_of(value)) != 0) return true;
    uint64_t from_now_ms = 0;
    if (!arguments_duration(&cli->arguments, OPTION_START_AT, 0, &from_now_ms)) return false;
    char text[TIMES_TEXT_SIZE];
    times_print(times_now_ms() + (int64_t)from_now_ms, text);
    *ret_text = arena_copy(&cli->arena, text, strlen(text));
    return true;
}

static bool read_labels(struct cli *cli, struct start *start)
{
    const struct arguments *arguments = &cli->arguments;
    const char **label = arena_array(&cli->arena, arguments->given_count + 1, sizeof *label);
    const char *value = NULL;
    for (size_t i = 0; (value = arguments_nth(arguments, OPTION_LABEL, i)) != NULL; i++) {
        if (strchr(value, '=') == NULL || value[0] == '=') {
            tell_error(STATUS_USAGE, "--label: '%s' is not KEY=VALUE", value);
            return false;
        }
        label[start->label_count++] = value;
    }
    start->label = label;
    return true;
}

static bool read_start(struct cli *cli, struct start *ret_start)
{
    *ret_start = (struct start){
        .definition = cli_word(cli, 0),
        .id = arguments_text(&cli->arguments, OPTION_ID),
        .if_exists = arguments_text(&cli->arguments, OPTION_IF_EXISTS),
    };
    return arguments_number(&cli->arguments, OPTION_VERSION, 1, INT32_MAX, 0,
                            &ret_start->version) &&
           read_start_at(cli, &ret_start->start_at) && read_labels(cli, ret_start);
}

static enum status start_one(struct cli *cli, const struct start *start)
{
    const char *named = arguments_text(&cli->arguments, OPTION_INPUT);
    struct bytes input = BYTES("{}");
    if (named != NULL && !files_read_json(named, &cli->arena, &input)) return STATUS_USAGE;
    struct buffer body = buffer_in(&cli->arena);
    start_write(start, input, &body);
    const struct request request = {.method = "POST",
                                    .path = "/v1/sagas",
                                    .body = buffer_bytes(&body),
                                    .idempotency_key =
                                        arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    struct answer answer;
    enum status status = client_call(cli->client, &request, &cli->arena, &answer);
    if (status != STATUS_OK) return status;
    const struct bytes id_text = json_text(answer.json, "id");
    const char *id = bytes_copy(&cli->arena, id_text.data != NULL ? id_text : BYTES("")).data;

    if (arguments_has(&cli->arguments, OPTION_WATCH)) {
        if (!cli->terminal.tty) tell("started %s", id);
        return sagas_watch(cli, id);
    }
    if (arguments_has(&cli->arguments, OPTION_WAIT)) {
        tell("started %s", id);
        status = sagas_wait(cli, id, &answer);
        if (status != STATUS_OK && status != STATUS_ENDED) return status;
    }
    sagas_print(cli, &answer);
    return status;
}

/* A label of our own finds the sagas of this file again. */
static const char *add_batch_label(struct cli *cli, struct start *start)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) random = 0;
    struct buffer label = buffer_in(&cli->arena);
    buffer_add_format(&label, "sagactl-batch=%08" PRIx32, random);
    const char **labels = arena_array(&cli->arena, start->label_count + 1, sizeof *labels);
    for (size_t i = 0; i < start->label_count; i++) {
        labels[i] = start->label[i];
    }
    labels[start->label_count++] = label.data;
    start->label = labels;
    return label.data;
}

static enum status wait_for_lines(struct push *push, const char *label)
{
    struct progress progress = progress_begin("ended", push->cli->terminal.utf8);
    push->progress = progress_show;
    push->context = &progress;
    const enum status status = tally_wait(push, label);
    progress_end(&progress);
    if (status != STATUS_OK) return status;
    struct tally tally;
    const enum status counted = tally_all(push->cli, label, &tally);
    if (counted != STATUS_OK) return counted;
    (void)printf("%zu succeeded, %zu compensated, %zu otherwise\n", tally.succeeded,
                 tally.compensated, tally.other);
    return tally.succeeded == tally.total ? STATUS_OK : STATUS_ENDED;
}

static enum status start_lines(struct cli *cli, struct start *start)
{
    const char *file = arguments_text(&cli->arguments, OPTION_LINES);
    struct push push = {.cli = cli,
                        .start = start,
                        .idempotency_key = arguments_text(&cli->arguments, OPTION_IDEMPOTENCY_KEY)};
    if (!files_read(file, LINES_SIZE_MAX, &cli->arena, &push.lines)) return STATUS_ERROR;
    if (!push_check(&push)) return STATUS_USAGE;
    /* With a key of the caller's the label must be the same the next time, else the body differs.
     */
    const char *label = push.idempotency_key == NULL ? add_batch_label(cli, start) : NULL;
    struct progress progress = progress_begin("started", cli->terminal.utf8);
    push.progress = progress_show;
    push.context = &progress;
    const enum status status = push_all(&push);
    progress_end(&progress);
    tell("%zu of %zu started%s%s", push.accepted, push.total,
         label != NULL ? "; follow them: sagactl list --label " : "", label != NULL ? label : "");
    if (status != STATUS_OK || push.refused > 0) return status_first(status, STATUS_ERROR);
    if (!arguments_has(&cli->arguments, OPTION_WAIT)) return STATUS_OK;
    if (label == NULL && start->label_count == 0) {
        return tell_error(STATUS_USAGE,
                          "--wait with --idempotency-key needs a --label to wait for");
    }
    return wait_for_lines(&push, label != NULL ? label : start->label[0]);
}

enum status run_start(struct cli *cli)
{
    struct start start;
    if (!read_start(cli, &start)) return STATUS_USAGE;
    if (!arguments_has(&cli->arguments, OPTION_LINES)) return start_one(cli, &start);
    if (arguments_has(&cli->arguments, OPTION_INPUT) || arguments_has(&cli->arguments, OPTION_ID) ||
        arguments_has(&cli->arguments, OPTION_WATCH)) {
        return tell_error(STATUS_USAGE, "--lines goes without --input, --id and --watch");
    }
    return start_lines(cli, &start);
}
