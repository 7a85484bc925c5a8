/*
 * participants/demo/main.c
 *   saga-demo-participants: the demo's services as one program.
 */
#include "participants/demo/demo_participant.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const char USAGE[] =
    "saga-demo-participants: the services of the demo flows\n\n"
    "  --brokers HOST:PORT   or KAFKA_BROKERS\n"
    "  --database URL        or DATABASE_URL; effects go to its schema\n"
    "  --schema NAME         or SHOP_SCHEMA [shop]\n"
    "  --topics a,b          only these [all of the demo]\n"
    "  --group NAME          consumer group [shop]\n"
    "  --threads N           commands done side by side [4]\n"
    "  --ready-file PATH     made when commands are being taken\n";

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : otherwise;
}

static bool read_options(int argc, char **argv, struct demo_options *options)
{
    static const struct option NAMES[] = {
        {"brokers",    required_argument, NULL, 'b'},
        {"database",   required_argument, NULL, 'd'},
        {"schema",     required_argument, NULL, 's'},
        {"topics",     required_argument, NULL, 't'},
        {"group",      required_argument, NULL, 'g'},
        {"threads",    required_argument, NULL, 'n'},
        {"ready-file", required_argument, NULL, 'r'},
        {NULL,         0,                 NULL, 0  },
    };
    for (int option; (option = getopt_long(argc, argv, "", NAMES, NULL)) != -1;) {
        switch (option) {
        case 'b': options->brokers = optarg; break;
        case 'd': options->database = optarg; break;
        case 's': options->schema = optarg; break;
        case 't': options->topics = optarg; break;
        case 'g': options->group = optarg; break;
        case 'n': options->threads = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'r': options->ready_file = optarg; break;
        default: return false;
        }
    }
    return optind == argc && options->brokers != NULL && options->database != NULL &&
           options->threads > 0;
}

int main(int argc, char **argv)
{
    struct demo_options options = {.brokers = setting("KAFKA_BROKERS", NULL),
                                   .database = setting("DATABASE_URL", NULL),
                                   .schema = setting("SHOP_SCHEMA", "shop"),
                                   .group = "shop",
                                   .threads = 4,
                                   .stop = &stop};
    if (!read_options(argc, argv, &options)) {
        (void)fputs(USAGE, stderr);
        return 2;
    }
    const struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    return demo_run(&options);
}
