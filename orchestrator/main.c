/*
 * orchestrator/main.c
 *   sagad: one program, its subcommands in one table.
 */
#include "orchestrator/daemon/config.h"
#include "orchestrator/daemon/nearest.h"
#include "orchestrator/daemon/serve.h"
#include "orchestrator/daemon/tools.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

struct subcommand {
    const char *name;
    int bit;
    int (*run)(const struct config *config, const char **words);
    const char *usage, *help;
};

/* clang-format off */
static const struct subcommand SUBCOMMANDS[] = {
    {"serve",       FOR_SERVE,       tool_serve,       "[flags]",              "run a node"},
    {"dev",         FOR_DEV,         tool_dev,         "[flags]",              "all in one: PostgreSQL, broker, node, demo participants"},
    {"migrate",     FOR_MIGRATE,     tool_migrate,     "[flags]",              "bring the database up to date"},
    {"maintain",    FOR_MAINTAIN,    tool_maintain,    "[flags]",              "make partitions ahead and let old sagas go, now"},
    {"topics",      FOR_TOPICS,      tool_topics,      "plan|apply [flags]",   "show or make the Kafka topics"},
    {"keys",        FOR_KEYS,        tool_keys,        "add [flags] NAME",     "make an API key"},
    {"config",      FOR_CONFIG,      tool_config,      "check|print [flags]",  "check or print the configuration"},
    {"healthcheck", FOR_HEALTHCHECK, tool_healthcheck, "[flags]",              "exit 0 when the node here is ready"},
    {"version",     0,               tool_version,     "",                     "print the version"},
};
/* clang-format on */

enum { SUBCOMMAND_COUNT = sizeof SUBCOMMANDS / sizeof *SUBCOMMANDS };

static void print_usage(FILE *out)
{
    (void)fprintf(out, "sagad: keeps long business transactions across services correct\n\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        (void)fprintf(out, "  sagad %-12s %-22s %s\n", SUBCOMMANDS[i].name, SUBCOMMANDS[i].usage,
                      SUBCOMMANDS[i].help);
    }
    (void)fprintf(out, "\n`sagad COMMAND --help` lists the flags of a command.\n");
}

static int unknown(const char *word)
{
    const char *names[SUBCOMMAND_COUNT];
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        names[i] = SUBCOMMANDS[i].name;
    }
    const char *near = nearest_word(word, names, SUBCOMMAND_COUNT);
    (void)fprintf(stderr, "sagad: unknown command `%s`", word);
    if (near != NULL) {
        (void)fprintf(stderr, "; did you mean `%s`?\n", near);
    } else {
        (void)fprintf(stderr, "; `sagad --help` lists them\n");
    }
    return EXIT_USAGE;
}

static int help_of(const struct subcommand *command)
{
    struct arena arena = {0};
    struct buffer buffer = buffer_in(&arena);
    config_write_help(command->bit, &buffer);
    printf("sagad %s %s\n  %s\n\n%s", command->name, command->usage, command->help, buffer.data);
    arena_done(&arena);
    return EXIT_GOOD;
}

static int run(const struct subcommand *command, char **arguments)
{
    struct config config;
    const char **words = NULL;
    struct err err;
    if (!config_read(command->bit, arguments, &config, &words, &err)) {
        (void)fprintf(stderr, "sagad: %s\n", err.text);
        return EXIT_USAGE;
    }
    log_set_level(config.log_level);
    const int status = config.help ? help_of(command) : command->run(&config, words);
    config_done(&config);
    return status;
}

int main(int argc, char **argv)
{
    block_signals();
    if (sodium_init() < 0) {
        (void)fprintf(stderr, "sagad: libsodium does not start\n");
        return EXIT_FAILED;
    }
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return EXIT_GOOD;
    }
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        if (strcmp(argv[1], SUBCOMMANDS[i].name) == 0) return run(&SUBCOMMANDS[i], argv + 2);
    }
    return unknown(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
}
