#include "orchestrator/daemon/tools.h"

#include "api/api.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/bus/topics.h"
#include "orchestrator/daemon/config.h"
#include "orchestrator/daemon/serve.h"
#include "orchestrator/daemon/version.h"
#include "orchestrator/store/store.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TOPICS_MAX = 2000,
    DEFINITIONS_PAGE = 200,
    PROBE_SECONDS = 3,
    MAINTAIN_TRIES = 300,
    MAINTAIN_PAUSE_MS = 200,
    MAINTAIN_TIMEOUT_MS = 3600 * 1000, /* a vacuum */
};

static int fail(const struct err *err)
{
    (void)fprintf(stderr, "sagad: %s\n", err->text);
    return err->kind == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

static int refuse(const char *text)
{
    (void)fprintf(stderr, "sagad: %s\n", text);
    return EXIT_USAGE;
}

static bool has_database(const struct config *config, struct err *err)
{
    if (config->database_url != NULL) return true;
    return err_set(err, ERR_INVALID, "no database: give --database-url or SAGAD_DATABASE_URL");
}

int tool_version(const struct config *config, const char **words)
{
    (void)config;
    (void)words;
    printf("sagad %s (%s)\n", SAGAD_VERSION, SAGAD_COMMIT);
    return EXIT_GOOD;
}

/* ---- serve, migrate ---- */

int tool_migrate(const struct config *config, const char **words)
{
    struct err err;
    uint32_t from = 0;
    uint32_t to = 0;
    if (words[0] != NULL) return refuse("migrate takes no words");
    if (!has_database(config, &err)) return fail(&err);
    if (!store_migrate(config->database_url, &from, &to, &err)) return fail(&err);
    if (from == to) {
        printf("the database is at version %u already\n", to);
    } else {
        printf("migrated the database from version %u to %u\n", from, to);
    }
    return EXIT_GOOD;
}

int tool_serve(const struct config *config, const char **words)
{
    struct err err;
    struct node *node = NULL;
    uint32_t from = 0;
    uint32_t to = 0;
    if (words[0] != NULL) return refuse("serve takes no words, only flags");
    if (config->migrate &&
        (!has_database(config, &err) || !store_migrate(config->database_url, &from, &to, &err))) {
        return fail(&err);
    }
    if (!node_start(config, false, &node, &err)) return fail(&err);
    wait_for_signal();
    node_stop(node);
    return EXIT_GOOD;
}

/* ---- maintain: what a node does every ten minutes ---- */

static void rest_ms(int64_t ms)
{
    (void)poll(NULL, 0, (int)ms);
}

static bool make_partitions(struct store *store, struct err *err)
{
    for (int tries = 1; !store_maintain(store, clock_wall_ms(), err); tries++) {
        if (err->kind != ERR_UNAVAILABLE || tries == MAINTAIN_TRIES) return false;
        rest_ms(MAINTAIN_PAUSE_MS);
    }
    return true;
}

/* One pass in a quarter of the time; others wait for none of its steps. */
static bool retire(struct store *store, int64_t retention_ms, struct retirement *pass,
                   struct err *err)
{
    *pass = (struct retirement){0};
    for (int later = 0; pass->next != RETIRE_DONE;) {
        if (later == MAINTAIN_TRIES) {
            return err_set(err, ERR_UNAVAILABLE, "the tables are too busy: try again");
        }
        const int64_t begun_ms = clock_monotonic_ms();
        if (!store_retire(store, retention_ms, pass, err)) return false;
        const int64_t took_ms = clock_monotonic_ms() - begun_ms;
        later = pass->next == RETIRE_LATER ? later + 1 : 0;
        rest_ms(later > 0 ? MAINTAIN_PAUSE_MS : took_ms * 3);
    }
    return true;
}

static void print_retired(const struct retirement *pass)
{
    printf("let go: %llu sagas, %llu weeks, %llu dead letters\n", (unsigned long long)pass->sagas,
           (unsigned long long)pass->weeks, (unsigned long long)pass->letters);
    if (pass->kept_weeks == 0) return;
    printf(
        "kept: %llu old weeks, too many of their sagas are open, ended late or are another "
        "namespace's\n",
        (unsigned long long)pass->kept_weeks);
}

static bool maintain(const struct config *config, struct store *store, struct err *err)
{
    const int64_t retention_ms = (int64_t)config->retention_days * 24 * 3600 * 1000;
    if (!make_partitions(store, err)) return false;
    if (retention_ms == 0) return true;
    struct retirement pass;
    if (!retire(store, retention_ms, &pass, err)) return false;
    print_retired(&pass);
    if (!pass.wants_vacuum) return true;
    if (!store_vacuum(store, err) || !retire(store, retention_ms, &pass, err)) return false;
    print_retired(&pass);
    return true;
}

int tool_maintain(const struct config *config, const char **words)
{
    struct err err;
    struct store *store = NULL;
    if (words[0] != NULL) return refuse("maintain takes no words");
    if (!has_database(config, &err)) return fail(&err);
    const struct store_options options = {
        .url = config->database_url,
        .namespace_name = config->namespace_name,
        .role = "maintain",
        .statement_timeout_ms = MAINTAIN_TIMEOUT_MS,
    };
    if (!store_open(&options, &store, &err)) return fail(&err);
    const bool good = maintain(config, store, &err);
    store_close(store);
    return good ? EXIT_GOOD : fail(&err);
}

/* ---- topics ---- */

struct names {
    struct bytes name[TOPICS_MAX];
    size_t count;
};

static void add_name(struct names *names, struct bytes name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (bytes_equal(names->name[i], name)) return;
    }
    if (names->count < TOPICS_MAX) names->name[names->count++] = name;
}

static void hash_nothing(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    (void)data;
    (void)size;
    memset(ret_hash, 0, DEFINITION_HASH_SIZE);
}

static void add_topics_of(struct names *names, const struct definition_row *row,
                          struct arena *arena)
{
    static const struct definition_rules ANY_TOPIC = {.topics_allow = "*"};
    struct definition_report report;
    struct definition *definition =
        definition_parse(row->source, &ANY_TOPIC, hash_nothing, arena, &report);
    if (definition == NULL) return;
    for (uint16_t i = 0; i < definition->step_count; i++) {
        const struct step *step = &definition->steps[i];
        if (step->kind == STEP_ACTION) add_name(names, bytes_copy(arena, step->action.topic));
        if (step->probe != NULL) add_name(names, bytes_copy(arena, step->probe->topic));
        if (step->undo == UNDO_COMMAND) {
            add_name(names, bytes_copy(arena, step->compensation.topic));
        }
    }
    definition_free(definition);
}

/* Topics of the newest version of each registered definition. */
static bool read_topics(const struct config *config, struct arena *arena, struct names *names,
                        struct err *err)
{
    if (!has_database(config, err)) return false;
    const struct store_options options = {
        .url = config->database_url,
        .namespace_name = config->namespace_name,
        .role = "topics",
        .statement_timeout_ms = 10000,
    };
    struct store *store = NULL;
    if (!store_open(&options, &store, err)) return false;
    struct bytes after = BYTES("");
    size_t count = 0;
    bool good = true;
    do {
        struct definition_row *rows = NULL;
        good = store_definition_list(store, after, DEFINITIONS_PAGE, arena, &rows, &count, err);
        for (size_t i = 0; good && i < count; i++) {
            add_topics_of(names, &rows[i], arena);
            after = rows[i].name;
        }
    } while (good && count == DEFINITIONS_PAGE);
    store_close(store);
    return good;
}

static void print_plan(const struct topic_plan *plan, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct topic_plan *topic = &plan[i];
        const char *what = topic->made ? "made" : topic->exists ? "there" : "missing";
        printf("%-8s %-40.*s partitions=%d%s%.*s\n", what, (int)topic->name.size, topic->name.data,
               topic->partitions, topic->problem.data == NULL ? "" : "  ", (int)topic->problem.size,
               topic->problem.data == NULL ? "" : topic->problem.data);
    }
}

int tool_topics(const struct config *config, const char **words)
{
    const bool apply = words[0] != NULL && strcmp(words[0], "apply") == 0;
    const bool plan_only = words[0] != NULL && strcmp(words[0], "plan") == 0;
    if ((!apply && !plan_only) || words[1] != NULL) {
        return refuse("say `sagad topics plan` or `sagad topics apply`");
    }
    struct arena arena = {0};
    struct names *names = arena_alloc(&arena, sizeof *names);
    struct topic_plan *plan = NULL;
    size_t count = 0;
    struct err err;
    bool good = !config->all || read_topics(config, &arena, names, &err);
    good = good && topics_plan(config->kafka_brokers, config->topic_prefix, names->name,
                               names->count, (int32_t)config->partitions,
                               (int16_t)config->replication, &arena, &plan, &count, &err);
    if (good && apply) {
        good = topics_apply(config->kafka_brokers, plan, count, &arena, &err);
    }
    print_plan(plan, count);
    const int status = good ? EXIT_GOOD : fail(&err);
    arena_done(&arena);
    return status;
}

/* ---- keys, config ---- */

int tool_keys(const struct config *config, const char **words)
{
    if (words[0] == NULL || strcmp(words[0], "add") != 0 || words[1] == NULL || words[2] != NULL) {
        return refuse("say `sagad keys add --keys-file FILE --role ROLE NAME`");
    }
    if (config->keys_file == NULL) return refuse("--keys-file FILE is wanted");
    char key[80];
    struct err err;
    if (!api_keys_add(config->keys_file, words[1], config->role, key, &err)) return fail(&err);
    printf("%s\n", key);
    (void)fprintf(stderr, "sagad: key `%s` (%s) added to %s; it is shown this once\n", words[1],
                  config->role, config->keys_file);
    return EXIT_GOOD;
}

int tool_config(const struct config *config, const char **words)
{
    const bool print = words[0] != NULL && strcmp(words[0], "print") == 0;
    const bool check = words[0] != NULL && strcmp(words[0], "check") == 0;
    if (!print && !check) return refuse("say `sagad config check` or `sagad config print`");
    if (print) {
        struct arena arena = {0};
        struct buffer buffer = buffer_in(&arena);
        config_write(config, &buffer);
        (void)fwrite(buffer.data, 1, buffer.size, stdout);
        arena_done(&arena);
    } else {
        printf("the configuration is good\n");
    }
    return EXIT_GOOD;
}

/* ---- healthcheck: no shell and no curl in the container ---- */

static int connect_to(const char *address)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    if (colon == NULL || (size_t)(colon - address) >= sizeof host) return -1;
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const char *name = strcmp(host, "0.0.0.0") == 0 || host[0] == '\0' ? "127.0.0.1" : host;
    if (getaddrinfo(name, colon + 1, &hints, &found) != 0) return -1;
    int fd = -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd < 0) continue;
        const struct timeval limit = {.tv_sec = PROBE_SECONDS};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

int tool_healthcheck(const struct config *config, const char **words)
{
    (void)words;
    static const char REQUEST[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[64] = "";
    const int fd = connect_to(config->admin_listen);
    if (fd >= 0) {
        if (write(fd, REQUEST, sizeof REQUEST - 1) > 0) {
            (void)!read(fd, answer, sizeof answer - 1);
        }
        close(fd);
    }
    if (strncmp(answer, "HTTP/1.1 200", 12) == 0) return EXIT_GOOD;
    (void)fprintf(stderr, "sagad: %s: %s\n", config->admin_listen,
                  answer[0] == '\0' ? "no answer" : "not ready");
    return EXIT_FAILED;
}
