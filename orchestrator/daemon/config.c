#include "orchestrator/daemon/config.h"

#include "orchestrator/base/cleanup.h"
#include "orchestrator/daemon/nearest.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DEFINE_CLEANUP(file, FILE *, fclose);

enum { SECRET_FILE_MAX = 4096, SETTINGS_MAX = 64 };

enum setting_kind { TEXT, SECRET, COUNT, SWITCH, LEVEL, EVENTS };

struct setting {
    const char *flag; /* without `--`; environment and file names follow from it */
    enum setting_kind kind;
    size_t offset;
    const char *initial;
    uint32_t low, high; /* of a COUNT */
    int bits;
    const char *help;
};

#define FIELD(name)    offsetof(struct config, name)
#define ALL_DB         (FOR_SERVE | FOR_MIGRATE | FOR_MAINTAIN | FOR_TOPICS | FOR_CONFIG)
#define SERVING        (FOR_SERVE | FOR_CONFIG)
#define SERVING_OR_DEV (FOR_SERVE | FOR_CONFIG | FOR_DEV)

/* clang-format off */
static const struct setting SETTINGS[] = {
    {"listen", TEXT, FIELD(listen), "127.0.0.1:8080", 0, 0, SERVING, "address of the API"},
    {"admin-listen", TEXT, FIELD(admin_listen), "127.0.0.1:9090", 0, 0, SERVING | FOR_HEALTHCHECK, "address of probes and metrics"},
    {"database-url", SECRET, FIELD(database_url), NULL, 0, 0, ALL_DB, "PostgreSQL, a URI or a libpq connection string"},
    {"kafka-brokers", TEXT, FIELD(kafka_brokers), "127.0.0.1:9092", 0, 0, SERVING | FOR_TOPICS, "host:port, comma-separated"},
    {"kafka-settings", SECRET, FIELD(kafka_settings), NULL, 0, 0, SERVING, "further librdkafka settings, name=value, comma-separated"},
    {"namespace", TEXT, FIELD(namespace_name), "default", 0, 0, ALL_DB, "namespace that this node serves"},
    {"cluster", TEXT, FIELD(cluster), "default", 0, 0, SERVING, "name in ce_source: /sagad/<cluster>"},
    {"topic-prefix", TEXT, FIELD(topic_prefix), "", 0, 0, SERVING | FOR_TOPICS, "precedes sagad's own topics"},
    {"topics-allow", TEXT, FIELD(topics_allow), NULL, 0, 0, SERVING_OR_DEV, "topics that definitions may name: globs, comma-separated (default: all but saga.* and __*)"},
    {"group", TEXT, FIELD(group), "sagad", 0, 0, SERVING, "consumer group of the nodes"},
    {"instance", TEXT, FIELD(instance), NULL, 0, 0, SERVING, "group.instance.id: static membership across restarts, unlike every other node's"},
    {"node-name", TEXT, FIELD(node_name), NULL, 0, 0, SERVING, "shown to operators (default: host name)"},
    {"keys-file", TEXT, FIELD(keys_file), NULL, 0, 0, SERVING | FOR_KEYS, "API keys: name, role, salted hash (`sagad keys add`)"},
    {"insecure", SWITCH, FIELD(insecure), NULL, 0, 0, SERVING, "no authentication; loopback addresses only"},
    {"token-key", SECRET, FIELD(token_key), NULL, 0, 0, SERVING, "64 hex digits that authenticate reply tokens (default: made once, kept in PostgreSQL)"},
    {"token-key-previous", SECRET, FIELD(token_key_previous), NULL, 0, 0, SERVING, "accepted beside token-key, for rotation"},
    {"migrate", SWITCH, FIELD(migrate), NULL, 0, 0, FOR_SERVE, "bring the database up to date before serving"},
    {"workers", COUNT, FIELD(workers), "2", 1, 16, SERVING_OR_DEV, "engine workers, one PostgreSQL connection each"},
    {"readers", COUNT, FIELD(readers), "2", 1, 32, SERVING_OR_DEV, "connections for reads"},
    {"http-threads", COUNT, FIELD(http_threads), "2", 1, 64, SERVING_OR_DEV, "threads of the HTTP server"},
    {"cache-mb", COUNT, FIELD(cache_mb), "96", 1, 65536, SERVING_OR_DEV, "memory for sagas under way"},
    {"queue-max", COUNT, FIELD(queue_max), "50000", 100, 10000000, SERVING_OR_DEV, "events waiting before requests get 429"},
    {"undispatched-max", COUNT, FIELD(undispatched_max), "1000000", 1, 100000000, SERVING_OR_DEV, "sagas with unsent commands before starts get 429"},
    {"window-max", COUNT, FIELD(window_max), "10000000", 1, 100000000, SERVING_OR_DEV, "commands of a topic that may be out at a time, at most; fewer where it is slow"},
    {"open-max", COUNT, FIELD(open_max), "0", 0, 1000000000, SERVING_OR_DEV, "sagas of the namespace that may be open before starts get 429; 0: any number"},
    {"open-max-per-definition", COUNT, FIELD(open_max_per_definition), "0", 0, 1000000000, SERVING_OR_DEV, "the same of each definition, all versions together"},
    {"grace-s", COUNT, FIELD(grace_s), "20", 1, 600, SERVING_OR_DEV, "seconds that a stop may take"},
    {"retention-days", COUNT, FIELD(retention_days), "90", 0, 36500, SERVING_OR_DEV | FOR_MAINTAIN, "days that finished sagas are kept; 0: for ever"},
    {"events", EVENTS, FIELD(events), "sagas", 0, 0, SERVING_OR_DEV, "what is told of all sagas: off, stream (/v1/events/stream alone), sagas (saga.events too), all (of their steps too)"},
    {"log-level", LEVEL, FIELD(log_level), "info", 0, 0, SERVING_OR_DEV, "debug, info, warning or error"},
    {"partitions", COUNT, FIELD(partitions), "8", 1, 10000, FOR_TOPICS, "of new topics"},
    {"replication", COUNT, FIELD(replication), "1", 1, 15, FOR_TOPICS, "of new topics"},
    {"all", SWITCH, FIELD(all), NULL, 0, 0, FOR_TOPICS, "also the topics that registered definitions name"},
    {"directory", TEXT, FIELD(directory), NULL, 0, 0, FOR_DEV, "where the cluster is kept (default: /var/lib/sagad-dev as root, else below XDG_STATE_HOME)"},
    {"temporary", SWITCH, FIELD(temporary), NULL, 0, 0, FOR_DEV, "a new cluster, removed at the end"},
    {"port", COUNT, FIELD(port), "0", 0, 65535, FOR_DEV, "of the API; 0: 8080 when it is free, else any"},
    {"run", TEXT, FIELD(run), NULL, 0, 0, FOR_DEV, "when ready run this shell command, then stop and exit with its status"},
    {"json", SWITCH, FIELD(json), NULL, 0, 0, FOR_DEV, "say where things are as one JSON object"},
    {"no-participants", SWITCH, FIELD(no_participants), NULL, 0, 0, FOR_DEV, "do not start the services of the demo"},
    {"role", TEXT, FIELD(role), "reader", 0, 0, FOR_KEYS, "reader, submitter, operator or admin"},
};
/* clang-format on */

enum { SETTING_COUNT = sizeof SETTINGS / sizeof *SETTINGS };
static_assert(sizeof SETTINGS / sizeof *SETTINGS <= SETTINGS_MAX, "room for every name");

/* ---- values ---- */

static void *field_of(struct config *config, const struct setting *setting)
{
    return (char *)config + setting->offset;
}

static bool set_count(struct config *config, const struct setting *setting, const char *value,
                      const char *source, struct err *err)
{
    char *end = NULL;
    errno = 0;
    const unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || number < setting->low ||
        number > setting->high) {
        return err_set(err, ERR_INVALID, "%s: `%.40s` is no number from %u to %u", source, value,
                       setting->low, setting->high);
    }
    *(uint32_t *)field_of(config, setting) = (uint32_t)number;
    return true;
}

static bool set_switch(struct config *config, const struct setting *setting, const char *value,
                       const char *source, struct err *err)
{
    static const char *const YES[] = {"1", "true", "yes", "on"};
    static const char *const NO[] = {"0", "false", "no", "off", ""};
    for (size_t i = 0; i < sizeof YES / sizeof *YES; i++) {
        if (strcmp(value, YES[i]) != 0) continue;
        *(bool *)field_of(config, setting) = true;
        return true;
    }
    for (size_t i = 0; i < sizeof NO / sizeof *NO; i++) {
        if (strcmp(value, NO[i]) != 0) continue;
        *(bool *)field_of(config, setting) = false;
        return true;
    }
    return err_set(err, ERR_INVALID, "%s: `%.40s` is neither true nor false", source, value);
}

/* In the order of enum events. */
static const char *const EVENT_NAMES[] = {"off", "stream", "sagas", "all"};

static bool set_events(struct config *config, const struct setting *setting, const char *value,
                       const char *source, struct err *err)
{
    for (uint32_t i = 0; i < sizeof EVENT_NAMES / sizeof *EVENT_NAMES; i++) {
        if (strcmp(value, EVENT_NAMES[i]) != 0) continue;
        *(uint32_t *)field_of(config, setting) = i;
        return true;
    }
    return err_set(err, ERR_INVALID, "%s: `%.40s` is none of off, stream, sagas, all", source,
                   value);
}

static bool set_value(struct config *config, const struct setting *setting, const char *value,
                      const char *source, struct err *err)
{
    switch (setting->kind) {
    case TEXT:
    case SECRET:
        *(const char **)field_of(config, setting) =
            arena_copy(&config->arena, value, strlen(value));
        return true;
    case COUNT: return set_count(config, setting, value, source, err);
    case SWITCH: return set_switch(config, setting, value, source, err);
    case EVENTS: return set_events(config, setting, value, source, err);
    case LEVEL:
        if (log_level_parse(value, (enum log_level *)field_of(config, setting))) return true;
        return err_set(err, ERR_INVALID,
                       "%s: `%.40s` is no log level; use debug, info, warning or error", source,
                       value);
    }
    abort();
}

/* ---- environment ---- */

static void environment_name(const char *flag, char *ret_name, size_t size)
{
    (void)snprintf(ret_name, size, "SAGAD_%s", flag);
    for (char *c = ret_name; *c != '\0'; c++) {
        if (*c == '-') {
            *c = '_';
        } else if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        }
    }
}

static bool read_secret_file(struct config *config, const struct setting *setting, const char *path,
                             struct err *err)
{
    CLEANUP(file) FILE *file = fopen(path, "re");
    if (file == NULL) {
        return err_set(err, ERR_INVALID, "cannot read %.150s: %s", path, strerror(errno));
    }
    char text[SECRET_FILE_MAX + 1];
    const size_t size = fread(text, 1, sizeof text, file);
    if (ferror(file) != 0) return err_set(err, ERR_INVALID, "cannot read %.150s", path);
    if (size > SECRET_FILE_MAX) {
        return err_set(err, ERR_INVALID, "%.150s is longer than %d bytes", path, SECRET_FILE_MAX);
    }
    text[size] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return set_value(config, setting, text, path, err);
}

static bool read_environment(struct config *config, const struct setting *setting, struct err *err)
{
    char name[80];
    environment_name(setting->flag, name, sizeof name);
    const char *value = getenv(name);
    if (value != NULL) return set_value(config, setting, value, name, err);
    if (setting->kind != SECRET) return true;
    char file_name[96];
    (void)snprintf(file_name, sizeof file_name, "%s_FILE", name);
    const char *path = getenv(file_name);
    return path == NULL || read_secret_file(config, setting, path, err);
}

/* ---- file ---- */

static const struct setting *find_setting(const char *flag)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(SETTINGS[i].flag, flag) == 0) return &SETTINGS[i];
    }
    return NULL;
}

/* `dashes`: what stands before a name there. */
static bool unknown_name(const char *where, const char *dashes, const char *name, int bit,
                         struct err *err)
{
    const char *names[SETTINGS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if ((SETTINGS[i].bits & bit) != 0) names[count++] = SETTINGS[i].flag;
    }
    const char *near = nearest_word(name, names, count);
    if (near == NULL) {
        return err_set(err, ERR_INVALID, "%.100s: unknown setting `%s%.40s`; --help lists them",
                       where, dashes, name);
    }
    return err_set(err, ERR_INVALID, "%.100s: unknown setting `%s%.40s`; did you mean `%s%s`?",
                   where, dashes, name, dashes, near);
}

static bool set_from_json(struct config *config, const struct setting *setting, const json_t *value,
                          const char *source, struct err *err)
{
    char number[32];
    if (json_is_string(value)) {
        return set_value(config, setting, json_string_value(value), source, err);
    }
    if (json_is_boolean(value)) {
        return set_value(config, setting, json_is_true(value) ? "true" : "false", source, err);
    }
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        return set_value(config, setting, number, source, err);
    }
    return err_set(err, ERR_INVALID, "%s: a string, a number, true or false is wanted", source);
}

static bool read_file(struct config *config, const char *path, int bit, struct err *err)
{
    json_error_t error;
    json_auto_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return err_set(err, ERR_INVALID, "%.100s line %d: %.100s", path, error.line, error.text);
    }
    if (!json_is_object(root)) {
        return err_set(err, ERR_INVALID, "%.100s: an object of settings is wanted", path);
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(root, key, value)
    {
        char source[200];
        (void)snprintf(source, sizeof source, "%.120s: %.60s", path, key);
        const struct setting *setting = find_setting(key);
        if (setting == NULL) return unknown_name(path, "", key, ~0, err);
        if ((setting->bits & bit) == 0) continue; /* of another subcommand */
        if (!set_from_json(config, setting, value, source, err)) return false;
    }
    return true;
}

/* ---- flags ---- */

struct flags {
    char **at; /* next argument */
    int bit;
};

static bool read_flag(struct config *config, struct flags *flags, struct err *err)
{
    const char *flag = *flags->at++ + 2;
    char name[80];
    const size_t size = strcspn(flag, "=");
    (void)snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : sizeof name - 1),
                   flag);
    if (strcmp(name, "help") == 0) {
        config->help = true;
        return true;
    }
    const struct setting *setting = find_setting(name);
    if (setting == NULL || (setting->bits & flags->bit) == 0) {
        return unknown_name("command line", "--", name, flags->bit, err);
    }
    char source[96];
    (void)snprintf(source, sizeof source, "--%s", name);
    if (flag[size] == '=') return set_value(config, setting, flag + size + 1, source, err);
    if (setting->kind == SWITCH) return set_value(config, setting, "true", source, err);
    if (*flags->at == NULL) return err_set(err, ERR_INVALID, "%s wants a value", source);
    return set_value(config, setting, *flags->at++, source, err);
}

/* The value of --config, before anything else is read: the file is the weakest source. */
static const char *config_path(char **arguments)
{
    for (char **at = arguments; *at != NULL; at++) {
        if (strncmp(*at, "--config=", 9) == 0) return *at + 9;
        if (strcmp(*at, "--config") == 0 && at[1] != NULL) return at[1];
    }
    return getenv("SAGAD_CONFIG");
}

static bool is_config_flag(const char *argument)
{
    return strcmp(argument, "--config") == 0 || strncmp(argument, "--config=", 9) == 0;
}

/* It was read before all others. */
static bool pass_config_flag(struct flags *flags, struct err *err)
{
    const bool apart = strchr(*flags->at, '=') == NULL;
    if (apart && flags->at[1] == NULL) return err_set(err, ERR_INVALID, "--config wants a file");
    flags->at += apart ? 2 : 1;
    return true;
}

static bool read_argument(struct config *config, struct flags *flags, const char ***words,
                          struct err *err)
{
    if (is_config_flag(*flags->at)) return pass_config_flag(flags, err);
    if (strncmp(*flags->at, "--", 2) == 0) return read_flag(config, flags, err);
    if (strcmp(*flags->at, "-h") == 0) {
        config->help = true;
        flags->at++;
        return true;
    }
    *(*words)++ = *flags->at++;
    return true;
}

static bool read_flags(struct config *config, int bit, char **arguments, const char **words,
                       struct err *err)
{
    struct flags flags = {.at = arguments, .bit = bit};
    while (*flags.at != NULL) {
        if (!read_argument(config, &flags, &words, err)) return false;
    }
    return true;
}

bool config_read(int bit, char **arguments, struct config *ret_config, const char ***ret_words,
                 struct err *err)
{
    *ret_config = (struct config){0};
    size_t argument_count = 0;
    while (arguments[argument_count] != NULL) {
        argument_count++;
    }
    const char **words = arena_array(&ret_config->arena, argument_count + 1, sizeof *words);
    bool good = true;
    for (size_t i = 0; good && i < SETTING_COUNT; i++) {
        if (SETTINGS[i].initial == NULL) continue;
        good = set_value(ret_config, &SETTINGS[i], SETTINGS[i].initial, "default", err);
    }
    const char *path = config_path(arguments);
    if (good && path != NULL) good = read_file(ret_config, path, bit, err);
    for (size_t i = 0; good && i < SETTING_COUNT; i++) {
        if ((SETTINGS[i].bits & bit) != 0) good = read_environment(ret_config, &SETTINGS[i], err);
    }
    good = good && read_flags(ret_config, bit, arguments, words, err);
    *ret_words = words;
    if (!good) config_done(ret_config);
    return good;
}

void config_done(struct config *config)
{
    arena_done(&config->arena);
}

/* ---- telling ---- */

void config_write_help(int bit, struct buffer *buffer)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &SETTINGS[i];
        if ((setting->bits & bit) == 0) continue;
        char name[80];
        environment_name(setting->flag, name, sizeof name);
        char flag[96];
        (void)snprintf(flag, sizeof flag, "--%s%s", setting->flag,
                       setting->kind == SWITCH ? "" : " VALUE");
        buffer_add_format(buffer, "  %-28s %s", flag, setting->help);
        if (setting->initial != NULL && setting->initial[0] != '\0') {
            buffer_add_format(buffer, " [%s]", setting->initial);
        }
        buffer_add_format(buffer, "\n  %-28s %s%s\n", "", name,
                          setting->kind == SECRET ? " (or ..._FILE)" : "");
    }
    buffer_add_format(
        buffer, "  %-28s %s\n", "--config FILE",
        "JSON object of the names above without `--`; flags and environment go first");
}

static void write_setting(const struct setting *setting, const void *field, struct buffer *buffer)
{
    static const char *const LEVELS[] = {"debug", "info", "warning", "error"};
    const char *text = NULL;
    switch (setting->kind) {
    case TEXT: text = *(const char *const *)field; break;
    case SECRET: text = *(const char *const *)field == NULL ? NULL : "(set)"; break;
    case SWITCH: text = *(const bool *)field ? "true" : "false"; break;
    case LEVEL: text = LEVELS[*(const enum log_level *)field]; break;
    case EVENTS: text = EVENT_NAMES[*(const uint32_t *)field]; break;
    case COUNT: buffer_add_format(buffer, "%u", *(const uint32_t *)field); break;
    }
    if (text != NULL) buffer_add_text(buffer, text);
}

void config_write(const struct config *config, struct buffer *buffer)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &SETTINGS[i];
        if ((setting->bits & FOR_CONFIG) == 0) continue;
        buffer_add_format(buffer, "%s=", setting->flag);
        write_setting(setting, (const char *)config + setting->offset, buffer);
        buffer_add_char(buffer, '\n');
    }
}
