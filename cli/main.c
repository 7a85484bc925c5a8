/*
 * cli/main.c
 *   Read the command line, settle which server is meant, run one command.
 */
#include "cli/command.h"
#include "cli/config.h"
#include "cli/nearest.h"
#include "cli/times.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const DEFAULT_URL = "http://127.0.0.1:8080";

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static enum format format_of(const struct arguments *arguments)
{
    const char *name = arguments_text(arguments, OPTION_OUTPUT);
    int format = FORMAT_TABLE;
    for (int i = 0; name != NULL && option_rule(OPTION_OUTPUT)->choices[i] != NULL; i++) {
        if (strcmp(name, option_rule(OPTION_OUTPUT)->choices[i]) == 0) format = i;
    }
    return (enum format)format;
}

/* The context by --context, its twin, or the file's current one; a named one must be there. */
static enum status pick_context(struct cli *cli, struct context *ret_context)
{
    struct config config;
    if (config_load(&cli->arena, &config) != STATUS_OK) return STATUS_ERROR;
    const char *name = arguments_text(&cli->arguments, OPTION_CONTEXT);
    if (name == NULL) name = environment("SAGACTL_CONTEXT");
    if (name == NULL) name = config.current;
    if (name == NULL) return STATUS_OK;
    const struct context *found = config_find(&config, name);
    if (found != NULL) {
        *ret_context = *found;
        return STATUS_OK;
    }
    struct nearest nearest = {.word = name};
    for (size_t i = 0; i < config.count; i++) {
        nearest_try(&nearest, config.contexts[i].name);
    }
    return tell_error(STATUS_USAGE, "there is no context `%s` in %s%s%s%s", name, config.file,
                      nearest.best != NULL ? "; did you mean `" : "",
                      nearest.best != NULL ? nearest.best : "", nearest.best != NULL ? "`?" : "");
}

/* Flags over environment over context over default. */
static enum status open_client(struct cli *cli)
{
    struct context context = {.name = NULL};
    const enum status status = pick_context(cli, &context);
    if (status != STATUS_OK) return status;
    uint64_t timeout_ms = 0;
    if (!arguments_duration(&cli->arguments, OPTION_TIMEOUT, 0, &timeout_ms)) return STATUS_USAGE;

    struct client_options options = {
        .url = arguments_text(&cli->arguments, OPTION_URL),
        .key = arguments_text(&cli->arguments, OPTION_KEY),
        .verbose = arguments_has(&cli->arguments, OPTION_VERBOSE),
    };
    if (timeout_ms > 0) options.give_up_at_ms = times_monotonic_ms() + (int64_t)timeout_ms;
    /* A context's key goes to the context's address only. */
    const bool elsewhere = options.url != NULL || environment("SAGACTL_URL") != NULL;
    if (options.url == NULL) options.url = environment("SAGACTL_URL");
    if (options.url == NULL) options.url = context.url;
    if (options.url == NULL) options.url = DEFAULT_URL;
    if (options.key == NULL) options.key = environment("SAGACTL_KEY");
    if (options.key == NULL && !elsewhere) options.key = context.key;
    cli->context = elsewhere ? NULL : context.name;
    return client_open(&options, &cli->client);
}

/* One key of the command line; `-` is read from stdin. */
static enum status take_key(struct cli *cli, struct given *given)
{
    char line[512];
    if (strcmp(given->value, "-") == 0) {
        if (fgets(line, sizeof line, stdin) == NULL) {
            return tell_error(STATUS_USAGE, "--key -: there is no key on stdin");
        }
        line[strcspn(line, "\r\n")] = '\0';
        given->value = arena_copy(&cli->arena, line, strlen(line));
        return STATUS_OK;
    }
    /* It must not stay readable in /proc. */
    char *copy = arena_copy(&cli->arena, given->value, strlen(given->value));
    memset(given->value, 'x', strlen(given->value));
    given->value = copy;
    if (strpbrk(copy, "\r\n") == NULL) return STATUS_OK;
    return tell_error(STATUS_USAGE, "--key: a key is one line");
}

static enum status settle_key(struct cli *cli)
{
    for (size_t i = 0; i < cli->arguments.given_count; i++) {
        struct given *given = &cli->arguments.given[i];
        if (given->option == OPTION_KEY && take_key(cli, given) != STATUS_OK) return STATUS_USAGE;
    }
    return STATUS_OK;
}

static enum status run(struct cli *cli, int argc, char **argv)
{
    enum status status = arguments_read(argc, argv, &cli->arena, &cli->arguments);
    if (status != STATUS_OK) return status;
    status = settle_key(cli);
    if (status != STATUS_OK) return status;
    const bool help = arguments_has(&cli->arguments, OPTION_HELP);
    if (cli->arguments.word_count == 0) {
        if (help) help_print_all();
        return help ? STATUS_OK : tell_error(STATUS_USAGE, "what is to be done? try: sagactl help");
    }
    size_t words = 0;
    cli->command = command_find(&cli->arguments, &words);
    if (cli->command == NULL) return STATUS_USAGE;
    cli->arguments.word += words;
    cli->arguments.word_count -= words;
    if (help) {
        help_print(cli->command);
        return STATUS_OK;
    }
    status = command_check(cli->command, &cli->arguments);
    if (status != STATUS_OK) return status;
    cli->format = format_of(&cli->arguments);
    if (cli->command->needs == NEEDS_SERVER) status = open_client(cli);
    return status != STATUS_OK ? status : cli->command->run(cli);
}

int main(int argc, char **argv)
{
    char version[] = "version";
    char *as_command[] = {argv[0], version, NULL};
    const bool asks_version = argc == 2 && strcmp(argv[1], "--version") == 0;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct cli cli = {.terminal = terminal_of_stdout()};

    enum status status = run(&cli, argc, asks_version ? as_command : argv);

    client_close(cli.client);
    arena_done(&cli.arena);
    curl_global_cleanup();
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        status =
            status_first(status, tell_error(STATUS_ERROR, "cannot write: %s", strerror(errno)));
    }
    return (int)status;
}
