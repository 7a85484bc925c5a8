/*
 * cli/arguments.h
 *   The command line, read by one table of options.
 *
 * An option means the same with every command, so the line can be read before the command
 * is known; which options a command takes is its own row (command.h). Options may stand
 * anywhere; `--` ends them. The strings belong to main's argv.
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "cli/talk.h"
#include "sagas/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option {
    /* taken by every command */
    OPTION_OUTPUT,
    OPTION_URL,
    OPTION_KEY,
    OPTION_CONTEXT,
    OPTION_TIMEOUT,
    OPTION_VERBOSE,
    OPTION_HELP,
    OPTION_EVERYWHERE, /* count of the above */
    /* commands that change something */
    OPTION_REASON = OPTION_EVERYWHERE,
    OPTION_DRY_RUN,
    OPTION_YES,
    OPTION_IDEMPOTENCY_KEY,
    OPTION_INDEX,
    OPTION_CODE,
    OPTION_RESULT,
    OPTION_PAYLOAD,
    OPTION_FROM,
    /* start */
    OPTION_INPUT,
    OPTION_LINES,
    OPTION_ID,
    OPTION_LABEL,
    OPTION_VERSION,
    OPTION_START_AT,
    OPTION_IF_EXISTS,
    OPTION_WAIT,
    OPTION_WATCH,
    /* list and wait */
    OPTION_STATE,
    OPTION_ONLY,
    OPTION_DEFINITION,
    OPTION_ATTRIBUTE,
    OPTION_ATTENTION,
    OPTION_PARENT,
    OPTION_CREATED_AFTER,
    OPTION_CREATED_BEFORE,
    OPTION_LIMIT,
    OPTION_ALL,
    OPTION_FOR,
    OPTION_EXACT,
    /* batch */
    OPTION_FAILURE,
    OPTION_CAUSE,
    OPTION_TOPIC,
    OPTION_STEP,
    OPTION_NAME,
    OPTION_RATE,
    OPTION_FAILED,
    OPTION_STEP_MAP,
    /* exposure */
    OPTION_KIND,
    OPTION_CURRENCY,
    OPTION_WAITING,
    /* the rest */
    OPTION_TOPICS_ALLOW,
    OPTION_EXPLORE,
    OPTION_ANSWERS,
    OPTION_COUNT_OF,
    OPTION_SEED,
    OPTION_COUNT,
    OPTION_END = OPTION_COUNT, /* ends a command's list */
};

struct option_rule {
    const char *name;           /* without the dashes */
    char letter;                /* '\0': none */
    const char *value;          /* what it takes, for the help; NULL: nothing */
    const char *const *choices; /* the only values, NULL-terminated; NULL: any */
    const char *help;
};

const struct option_rule *option_rule(enum option option);

struct arguments {
    const char **word; /* command and arguments, in order */
    size_t word_count;
    struct given {
        enum option option;
        char *value; /* NULL when it takes none */
    } * given;
    size_t given_count;
};

/* Read argv[1..]. A bad option is told with the nearest good one. */
enum status arguments_read(int argc, char **argv, struct arena *arena,
                           struct arguments *ret_arguments);

bool arguments_has(const struct arguments *arguments, enum option option);
/* The value given last, NULL when there is none. */
const char *arguments_text(const struct arguments *arguments, enum option option);
/* The value given at position `index` among those of `option`; NULL behind the last. */
const char *arguments_nth(const struct arguments *arguments, enum option option, size_t index);
/* False, told, when the value is no duration; *ret_ms is `otherwise` when not given. */
bool arguments_duration(const struct arguments *arguments, enum option option,
                        uint64_t otherwise_ms, uint64_t *ret_ms);
/* The same for a whole number within the bounds. */
bool arguments_number(const struct arguments *arguments, enum option option, int64_t least,
                      int64_t most, int64_t otherwise, int64_t *ret_number);

#endif
