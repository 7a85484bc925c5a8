#include "cli/arguments.h"

#include "cli/nearest.h"
#include "sagas/base/bytes.h"
#include "sagas/base/duration.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const OUTPUTS[] = {"table", "wide", "json", "jsonl", "id", NULL};
static const char *const STATES[] = {"pending",     "running", "compensating", "succeeded",
                                     "compensated", "stuck",   "terminated",   NULL};
static const char *const WAIT_STATES[] = {"pending",    "running",     "compensating",
                                          "succeeded",  "compensated", "stuck",
                                          "terminated", "paused",      NULL};
static const char *const ATTENTIONS[] = {"retrying", "no_handler", "overdue", "stuck",
                                         "paused",   "bad_reply",  "held",    NULL};
static const char *const FAILURES[] = {"stuck", "retrying", NULL};
static const char *const IF_EXISTS[] = {"return", "fail", NULL};

/* clang-format off */
static const struct option_rule OPTIONS[OPTION_COUNT] = {
    [OPTION_OUTPUT]          = {"output", 'o', "FORMAT", OUTPUTS, "table (default), wide, json (as the server sent it), jsonl or id"},
    [OPTION_URL]             = {"url", 0, "URL", NULL, "where sagad listens (SAGACTL_URL; default http://127.0.0.1:8080)"},
    [OPTION_KEY]             = {"key", 0, "KEY", NULL, "API key (better in SAGACTL_KEY or a context; - reads it from stdin)"},
    [OPTION_CONTEXT]         = {"context", 0, "NAME", NULL, "use this context of the config file (SAGACTL_CONTEXT)"},
    [OPTION_TIMEOUT]         = {"timeout", 0, "DURATION", NULL, "give up after this time with exit code 124"},
    [OPTION_VERBOSE]         = {"verbose", 'v', NULL, NULL, "one line for each request, on stderr"},
    [OPTION_HELP]            = {"help", 'h', NULL, NULL, "show the help of the command"},
    [OPTION_REASON]          = {"reason", 'r', "TEXT", NULL, "why; kept in history and audit"},
    [OPTION_DRY_RUN]         = {"dry-run", 0, NULL, NULL, "show what would happen, change nothing"},
    [OPTION_YES]             = {"yes", 'y', NULL, NULL, "do not ask"},
    [OPTION_IDEMPOTENCY_KEY] = {"idempotency-key", 0, "KEY", NULL, "run again safely: the same key never acts twice"},
    [OPTION_INDEX]           = {"index", 0, "N", NULL, "the foreach item; STEP[N] means the same"},
    [OPTION_CODE]            = {"code", 0, "CODE", NULL, "error code of the refusal"},
    [OPTION_RESULT]          = {"result", 0, "FILE|-|JSON", NULL, "the step's output"},
    [OPTION_FROM]            = {"from", 0, "STEP", NULL, "the step that the new saga begins with"},
    [OPTION_STEP_MAP]        = {"step-map", 0, "FILE|-|JSON", NULL, "steps that have another id in that version: {\"old\":\"new\"}"},
    [OPTION_PAYLOAD]         = {"payload", 0, "FILE|-|JSON", NULL, "what the signal brings"},
    [OPTION_INPUT]           = {"input", 'i', "FILE|-|JSON", NULL, "the input, sent byte for byte"},
    [OPTION_LINES]           = {"lines", 0, "FILE|-", NULL, "one saga for each line, a line is an input"},
    [OPTION_ID]              = {"id", 0, "UUID", NULL, "choose the saga's id"},
    [OPTION_LABEL]           = {"label", 'l', "KEY=VALUE", NULL, "a label; may be repeated"},
    [OPTION_VERSION]         = {"version", 0, "N", NULL, "version of the definition"},
    [OPTION_START_AT]        = {"start-at", 0, "TIME", NULL, "RFC 3339, or a duration from now: 10m"},
    [OPTION_IF_EXISTS]       = {"if-exists", 0, "return|fail", IF_EXISTS, "when the id exists with the same content"},
    [OPTION_WAIT]            = {"wait", 'w', NULL, NULL, "wait for the end, exit 5 when it is not success"},
    [OPTION_WATCH]           = {"watch", 0, NULL, NULL, "show the steps until the end"},
    [OPTION_STATE]           = {"state", 's', "STATE", STATES, "in this state; repeated: any of them"},
    [OPTION_ONLY]            = {"only", 0, "stuck|retrying", FAILURES, "sagas that are so"},
    [OPTION_DEFINITION]      = {"definition", 'd', "NAME", NULL, "of this definition; repeated: any of them"},
    [OPTION_ATTRIBUTE]       = {"attribute", 'a', "KEY=VALUE", NULL, "with this attribute; may be repeated"},
    [OPTION_ATTENTION]       = {"attention", 0, "REASON", ATTENTIONS, "that need attention for this reason"},
    [OPTION_PARENT]          = {"parent", 0, "ID", NULL, "children of this saga"},
    [OPTION_CREATED_AFTER]   = {"created-after", 0, "TIME", NULL, "RFC 3339, or a duration ago: 1h"},
    [OPTION_CREATED_BEFORE]  = {"created-before", 0, "TIME", NULL, "RFC 3339, or a duration ago: 1h"},
    [OPTION_LIMIT]           = {"limit", 'n', "N", NULL, "at most so many (default 50)"},
    [OPTION_ALL]             = {"all", 0, NULL, NULL, "all of them, page after page"},
    [OPTION_FOR]             = {"for", 0, "STATE", WAIT_STATES, "wait for this state instead of the end; repeated: any of them"},
    [OPTION_EXACT]           = {"exact", 0, NULL, NULL, "count all, however long it takes (up to ten seconds)"},
    [OPTION_FAILURE]         = {"failure", 0, "ID", NULL, "the sagas of this group (`failures list`)"},
    [OPTION_CAUSE]           = {"cause", 0, "REASON", NULL, "dead letters of this reason; repeated: any of them"},
    [OPTION_TOPIC]           = {"topic", 0, "TOPIC", NULL, "of this topic; repeated: any of them"},
    [OPTION_STEP]            = {"step", 0, "STEP", NULL, "the step to skip"},
    [OPTION_NAME]            = {"name", 0, "NAME", NULL, "the signal's name"},
    [OPTION_RATE]            = {"rate", 0, "N", NULL, "so many items a second (default 100)"},
    [OPTION_FAILED]          = {"failed", 0, NULL, NULL, "only those that failed"},
    [OPTION_KIND]            = {"kind", 0, "KIND", NULL, "effects of this kind; repeated: any of them"},
    [OPTION_CURRENCY]        = {"currency", 0, "CURRENCY", NULL, "effects in this currency; repeated: any of them"},
    [OPTION_WAITING]         = {"waiting", 0, NULL, NULL, "only locks that somebody waits for"},
    [OPTION_TOPICS_ALLOW]    = {"topics-allow", 0, "GLOBS", NULL, "topics that definitions may name, as sagad's flag"},
    [OPTION_EXPLORE]         = {"explore", 0, NULL, NULL, "every fault at every command"},
    [OPTION_ANSWERS]         = {"answers", 0, "FILE|-|JSON", NULL, "what the steps answer, by step id"},
    [OPTION_COUNT_OF]        = {"count", 0, "N", NULL, "how many content updates (default 2000)"},
    [OPTION_SEED]            = {"seed", 0, "N", NULL, "of the generator (default 7)"},
};
/* clang-format on */

const struct option_rule *option_rule(enum option option)
{
    assert(option < OPTION_COUNT);
    return &OPTIONS[option];
}

static enum status tell_unknown_option(const char *typed, const char *name)
{
    struct nearest nearest = {.word = name};
    for (int i = 0; i < OPTION_COUNT; i++) {
        nearest_try(&nearest, OPTIONS[i].name);
    }
    if (nearest.best == NULL) {
        return tell_error(STATUS_USAGE, "there is no option %s; try: sagactl help", typed);
    }
    return tell_error(STATUS_USAGE, "there is no option %s; did you mean --%s?", typed,
                      nearest.best);
}

static enum status check_choice(const struct option_rule *rule, const char *value)
{
    if (rule->choices == NULL) return STATUS_OK;
    struct nearest nearest = {.word = value};
    char all[200] = "";
    for (const char *const *choice = rule->choices; *choice != NULL; choice++) {
        if (strcmp(*choice, value) == 0) return STATUS_OK;
        nearest_try(&nearest, *choice);
        if (*all != '\0') strncat(all, ", ", sizeof all - strlen(all) - 1);
        strncat(all, *choice, sizeof all - strlen(all) - 1);
    }
    if (nearest.best != NULL) {
        return tell_error(STATUS_USAGE, "--%s cannot be '%s'; did you mean %s? (%s)", rule->name,
                          value, nearest.best, all);
    }
    return tell_error(STATUS_USAGE, "--%s cannot be '%s'; it is one of %s", rule->name, value, all);
}

/* Where reading stands: argv[at] is the word in hand. */
struct reader {
    int argc, at;
    char **argv;
    struct arguments *arguments;
};

static enum status take(struct reader *reader, int option, char *attached)
{
    const struct option_rule *rule = &OPTIONS[option];
    char *value = attached;
    if (rule->value == NULL && value != NULL) {
        return tell_error(STATUS_USAGE, "--%s takes no value", rule->name);
    }
    if (rule->value != NULL && value == NULL) {
        if (reader->at + 1 >= reader->argc) {
            return tell_error(STATUS_USAGE, "--%s needs a value: --%s %s", rule->name, rule->name,
                              rule->value);
        }
        value = reader->argv[++reader->at];
    }
    if (value != NULL && check_choice(rule, value) != STATUS_OK) return STATUS_USAGE;
    struct arguments *arguments = reader->arguments;
    arguments->given[arguments->given_count++] =
        (struct given){.option = (enum option)option, .value = value};
    return STATUS_OK;
}

static enum status read_long(struct reader *reader, char *word)
{
    char *equals = strchr(word, '=');
    const size_t size = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strlen(OPTIONS[i].name) == size && strncmp(OPTIONS[i].name, word + 2, size) == 0) {
            return take(reader, i, equals != NULL ? equals + 1 : NULL);
        }
    }
    if (equals != NULL) *equals = '\0'; /* the value may be a secret */
    return tell_unknown_option(word, word + 2);
}

/* -1 when no option has that letter. */
static int find_letter(char letter)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (OPTIONS[i].letter == letter) return i;
    }
    return -1;
}

static enum status read_short(struct reader *reader, char *word)
{
    for (char *letter = word + 1; *letter != '\0'; letter++) {
        const int found = find_letter(*letter);
        if (found < 0) {
            return tell_error(STATUS_USAGE, "there is no option -%c; try: sagactl help", *letter);
        }
        if (OPTIONS[found].value != NULL) {
            return take(reader, found, letter[1] != '\0' ? letter + 1 : NULL);
        }
        if (take(reader, found, NULL) != STATUS_OK) return STATUS_USAGE;
    }
    return STATUS_OK;
}

enum status arguments_read(int argc, char **argv, struct arena *arena,
                           struct arguments *ret_arguments)
{
    /* A cluster of letters may hold more options than words, never more than characters. */
    size_t characters = 0;
    for (int i = 1; i < argc; i++) {
        characters += strlen(argv[i]) + 1;
    }
    *ret_arguments = (struct arguments){
        .word = arena_array(arena, (size_t)argc + 1, sizeof(char *)),
        .given = arena_array(arena, characters + 1, sizeof(struct given)),
    };
    struct reader reader = {.argc = argc, .at = 1, .argv = argv, .arguments = ret_arguments};
    bool only_words = false;
    for (; reader.at < argc; reader.at++) {
        char *word = argv[reader.at];
        enum status status = STATUS_OK;
        if (only_words || word[0] != '-' || word[1] == '\0') {
            ret_arguments->word[ret_arguments->word_count++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_words = true;
        } else {
            status = word[1] == '-' ? read_long(&reader, word) : read_short(&reader, word);
        }
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

const char *arguments_nth(const struct arguments *arguments, enum option option, size_t index)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].option != option) continue;
        if (index-- == 0) return arguments->given[i].value;
    }
    return NULL;
}

bool arguments_has(const struct arguments *arguments, enum option option)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].option == option) return true;
    }
    return false;
}

const char *arguments_text(const struct arguments *arguments, enum option option)
{
    const char *last = NULL;
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].option == option) last = arguments->given[i].value;
    }
    return last;
}

bool arguments_duration(const struct arguments *arguments, enum option option,
                        uint64_t otherwise_ms, uint64_t *ret_ms)
{
    const char *text = arguments_text(arguments, option);
    *ret_ms = otherwise_ms;
    if (text == NULL || duration_parse(bytes_of(text), ret_ms)) return true;
    tell_error(STATUS_USAGE, "--%s: '%s' is no duration; write 500ms, 30s or 1h30m",
               OPTIONS[option].name, text);
    return false;
}

bool arguments_number(const struct arguments *arguments, enum option option, int64_t least,
                      int64_t most, int64_t otherwise, int64_t *ret_number)
{
    const char *text = arguments_text(arguments, option);
    *ret_number = otherwise;
    if (text == NULL) return true;
    char *end = NULL;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && number >= least && number <= most) {
        *ret_number = number;
        return true;
    }
    tell_error(STATUS_USAGE, "--%s: '%s' is no whole number from %" PRId64 " to %" PRId64,
               OPTIONS[option].name, text, least, most);
    return false;
}
