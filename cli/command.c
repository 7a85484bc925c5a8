#include "cli/command.h"

#include "cli/nearest.h"

#include <stdio.h>
#include <string.h>

/* Lists of options, each ended by OPTION_END. */
#define TAKES(...)                                                                                 \
    (const enum option[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, OPTION_END                                                                    \
    }
#define CHANGES OPTION_REASON, OPTION_DRY_RUN, OPTION_YES, OPTION_IDEMPOTENCY_KEY

/* clang-format off */
const struct command COMMANDS[] = {
    {"start", "NAME", "start a saga", 1, 1, NEEDS_SERVER,
     TAKES(OPTION_INPUT, OPTION_LINES, OPTION_ID, OPTION_LABEL, OPTION_VERSION, OPTION_START_AT, OPTION_IF_EXISTS,
           OPTION_WAIT, OPTION_WATCH, OPTION_IDEMPOTENCY_KEY),
     run_start,
     "  sagactl start order-checkout --input order.json --watch\n"
     "  sagactl start order-checkout -i '{\"order_id\":\"o-1\"}' --label team=shop -o id\n"
     "  sagactl start content-publish --lines updates.jsonl --wait\n"},
    {"list", "", "list sagas, newest first", 0, 0, NEEDS_SERVER,
     TAKES(OPTION_STATE, OPTION_DEFINITION, OPTION_VERSION, OPTION_LABEL, OPTION_ATTRIBUTE, OPTION_ATTENTION,
           OPTION_PARENT, OPTION_CREATED_AFTER, OPTION_CREATED_BEFORE, OPTION_LIMIT, OPTION_ALL),
     run_list,
     "  sagactl list --attention stuck --attention retrying\n"
     "  sagactl list --state running --created-before 1h -o id | xargs sagactl why\n"},
    {"count", "", "count sagas", 0, 0, NEEDS_SERVER,
     TAKES(OPTION_STATE, OPTION_DEFINITION, OPTION_VERSION, OPTION_LABEL, OPTION_ATTRIBUTE, OPTION_ATTENTION,
           OPTION_PARENT, OPTION_CREATED_AFTER, OPTION_CREATED_BEFORE, OPTION_EXACT),
     run_count,
     "Takes the filters of `list`. Beyond 100,000 sagas, or a second of counting, the number is an\n"
     "estimate, told on stderr; --exact counts for up to ten seconds.\n"},
    {"get", "ID...", "show a saga and its steps", 1, -1, NEEDS_SERVER, NULL, run_get, NULL},
    {"steps", "ID", "show the steps of a saga", 1, 1, NEEDS_SERVER, NULL, run_steps, NULL},
    {"history", "ID", "show what happened, in order", 1, 1, NEEDS_SERVER, TAKES(OPTION_LIMIT), run_history, NULL},
    {"why", "ID...", "say what a saga waits for", 1, -1, NEEDS_SERVER, NULL, run_why, NULL},
    {"export", "ID", "print all that is known of a saga", 1, 1, NEEDS_SERVER, NULL, run_export,
     "  sagactl export ID > saga.json\n"},
    {"replay", "FILE|-", "fold an export's history again and compare", 1, 1, NEEDS_NOTHING, NULL, run_replay,
     "Says which entry cannot be, or what the saga and its history do not agree about; exits with 1 then.\n"
     "Compared are states, attempts, outputs, errors and times, as far as the history determines them.\n"},
    {"watch", "ID", "show the steps until the end", 1, 1, NEEDS_SERVER, NULL, run_watch,
     "On a terminal the table is redrawn in place; on a pipe each change is a line.\n"
     "Exits with 0 when the saga succeeded, 5 when it ended otherwise, 124 at the --timeout.\n"},
    {"wait", "ID...", "wait for the end, or for a state", 1, -1, NEEDS_SERVER, TAKES(OPTION_FOR), run_wait,
     "Exits with 0 when all succeeded (or are in a state of --for), 5 when one ended otherwise,\n"
     "124 at the --timeout.\n"},

    {"signal", "ID NAME | NAME", "send the signal that a step waits for", 1, 2, NEEDS_SERVER,
     TAKES(CHANGES, OPTION_PAYLOAD, OPTION_ATTRIBUTE, OPTION_ALL), run_signal,
     "  sagactl signal ID approved --payload '{\"by\":\"ann\"}' --idempotency-key approval-17\n"
     "  sagactl signal approved --attribute order_id=o-1\n"
     "With --attribute the one open saga that has them all, with --all every one of up to 1,000.\n"
     "One that comes before its step waits is kept. The --idempotency-key makes it once.\n"},
    {"cancel", "ID...", "stop a saga and undo what it did", 1, -1, NEEDS_SERVER, TAKES(CHANGES), run_cancel, NULL},
    {"pause", "ID...", "hold back new commands", 1, -1, NEEDS_SERVER, TAKES(CHANGES), run_pause, NULL},
    {"resume", "ID...", "go on after a pause", 1, -1, NEEDS_SERVER, TAKES(CHANGES), run_resume, NULL},
    {"retry", "ID [STEP] | ID...", "try again: a stuck saga, or one step", 1, -1, NEEDS_SERVER,
     TAKES(CHANGES, OPTION_INDEX, OPTION_INPUT), run_try_again,
     "  sagactl list --state stuck -o id | xargs sagactl retry --reason 'gateway is back'\n"
     "  sagactl retry ID reserve[2]\n"},
    {"fork", "ID", "start a new saga from one that is over or stuck", 1, 1, NEEDS_SERVER,
     TAKES(CHANGES, OPTION_FROM, OPTION_INPUT), run_fork,
     "The same definition, labels and input (or another --input), with keys of its own. With --from the steps before are\n"
     "taken over with their outputs and never undone by the new saga; the old one has to be over for that.\n"
     "  sagactl fork ID --from ship --dry-run\n"},
    {"terminate", "ID...", "end a saga without undoing anything", 1, -1, NEEDS_SERVER, TAKES(CHANGES), run_terminate,
     "What was done stays done. Without a terminal --yes is required.\n"},
    {"skip", "ID STEP", "go on without a step, or without its undo", 2, 2, NEEDS_SERVER,
     TAKES(CHANGES, OPTION_INDEX, OPTION_RESULT), run_skip_step, NULL},
    {"complete", "ID STEP", "say that a step is done, with --result", 2, 2, NEEDS_SERVER,
     TAKES(CHANGES, OPTION_INDEX, OPTION_RESULT), run_complete, NULL},
    {"fail", "ID STEP", "say that a step is refused, with --code", 2, 2, NEEDS_SERVER,
     TAKES(CHANGES, OPTION_INDEX, OPTION_CODE), run_fail, NULL},

    {"definitions apply", "FILE...", "register definitions", 1, -1, NEEDS_SERVER,
     TAKES(OPTION_DRY_RUN), run_definitions_apply,
     "The same content keeps its version, changed content makes the next one.\n"},
    {"definitions lint", "FILE...", "check definitions without a server", 1, -1, NEEDS_NOTHING,
     TAKES(OPTION_TOPICS_ALLOW), run_definitions_lint, NULL},
    {"definitions simulate", "FILE|NAME", "rehearse a definition: what is called, every end", 1, 1, NEEDS_SERVER,
     TAKES(OPTION_EXPLORE, OPTION_INPUT, OPTION_ANSWERS, OPTION_VERSION, OPTION_TOPICS_ALLOW), run_definitions_simulate,
     "A file is played here and needs no server, a name is one that the server has. --explore lets each command\n"
     "fail in each way, and then each undo. Exits with 1 when an end leaves an effect neither confirmed nor undone.\n"
     "  sagactl definitions simulate order.saga.json --explore --answers '{\"check\":{\"score\":1}}'\n"},
    {"definitions impact", "FILE|NAME", "which open sagas another version would break", 1, 1, NEEDS_SERVER,
     TAKES(OPTION_VERSION, OPTION_STEP_MAP), run_definitions_impact,
     "A file is a version that is not registered yet; a NAME takes --version. Exits with 1 when a saga would break.\n"
     "  sagactl definitions impact order.saga.json\n"
     "  sagactl definitions impact order --version 3 --step-map '{\"check\":\"screen\"}'\n"},
    {"definitions list", "", "list the newest version of each", 0, 0, NEEDS_SERVER,
     TAKES(OPTION_LIMIT, OPTION_ALL), run_definitions_list, NULL},
    {"definitions get", "NAME [VERSION]", "show a definition", 1, 2, NEEDS_SERVER, NULL, run_definitions_get, NULL},

    {"failures list", "", "what is wrong with how many sagas", 0, 0, NEEDS_SERVER,
     TAKES(OPTION_ONLY, OPTION_DEFINITION, OPTION_LIMIT, OPTION_ALL), run_failures_list,
     "Stuck and retrying sagas by definition, version, step and error, the largest group first.\n"
     "  sagactl failures list --only stuck\n"},
    {"failures show", "ID...", "show a group of failures", 1, -1, NEEDS_SERVER, NULL, run_failures_show, NULL},

    {"locks", "[DEFINITION [KEY]]", "who waits for whom: locks, who holds them, who is next", 0, 2, NEEDS_SERVER,
     TAKES(OPTION_WAITING, OPTION_LIMIT, OPTION_ALL), run_locks,
     "Of definitions that say `concurrency`. OPEN sagas of at most LIMIT hold a lock, HOLDER is the one that came first.\n"
     "  sagactl locks --waiting\n"
     "  sagactl locks order-checkout c-17\n"},

    {"exposure", "", "what open sagas have done and is not confirmed or undone", 0, 0, NEEDS_SERVER,
     TAKES(OPTION_STATE, OPTION_DEFINITION, OPTION_TOPIC, OPTION_KIND, OPTION_CURRENCY, OPTION_LIMIT, OPTION_ALL),
     run_exposure,
     "Sums of the `effect` that steps declare: first by currency, then by definition, topic, state and kind.\n"
     "UNKNOWN is the part of which nobody knows whether it happened.\n"
     "  sagactl exposure --state stuck\n"},

    {"batch start", "VERB [ID...]", "one command to many sagas", 1, -1, NEEDS_SERVER,
     TAKES(CHANGES, OPTION_STATE, OPTION_DEFINITION, OPTION_VERSION, OPTION_LABEL, OPTION_ATTRIBUTE, OPTION_ATTENTION,
           OPTION_PARENT, OPTION_CREATED_AFTER, OPTION_CREATED_BEFORE, OPTION_FAILURE, OPTION_CAUSE, OPTION_TOPIC,
           OPTION_STEP, OPTION_INDEX, OPTION_RESULT, OPTION_NAME, OPTION_PAYLOAD, OPTION_RATE, OPTION_WAIT),
     run_batch_start,
     "Verbs: cancel, retry, retry_now, skip, terminate, pause, resume, signal, and replay of dead letters.\n"
     "The set is what the filter finds now, or the ids; sagas that have ended are left alone. On a terminal count and\n"
     "sample are shown before it asks; elsewhere --yes is required.\n"
     "With --wait it exits with 5 when an item failed or the batch was stopped, 124 at the --timeout.\n"
     "  sagactl batch start retry --failure ID --rate 50 --reason 'gateway is back' --wait\n"
     "  sagactl batch start cancel --definition order-checkout --created-before 1d --dry-run --reason stale\n"
     "  sagactl batch start signal --name approved --payload '{\"by\":\"ann\"}' --label wave=1 --reason 'the board met'\n"},
    {"batch migrate", "VERSION [ID...]", "another version for sagas under way", 1, -1, NEEDS_SERVER,
     TAKES(CHANGES, OPTION_STATE, OPTION_DEFINITION, OPTION_VERSION, OPTION_LABEL, OPTION_ATTRIBUTE, OPTION_ATTENTION,
           OPTION_CREATED_AFTER, OPTION_CREATED_BEFORE, OPTION_FAILURE, OPTION_STEP_MAP, OPTION_RATE, OPTION_WAIT),
     run_batch_migrate,
     "Only where what a saga has begun is the same there; `definitions impact` says which can, and why not.\n"
     "  sagactl batch migrate 3 --definition order --version 2 --reason 'new check' --wait\n"},
    {"batch list", "", "list batches, newest first", 0, 0, NEEDS_SERVER, TAKES(OPTION_LIMIT, OPTION_ALL),
     run_batch_list, NULL},
    {"batch get", "ID...", "show a batch", 1, -1, NEEDS_SERVER, NULL, run_batch_get, NULL},
    {"batch items", "ID", "show what became of each item", 1, 1, NEEDS_SERVER,
     TAKES(OPTION_FAILED, OPTION_LIMIT, OPTION_ALL), run_batch_items, NULL},
    {"batch wait", "ID...", "wait until batches are done", 1, -1, NEEDS_SERVER, NULL, run_batch_wait,
     "Exits with 5 when an item failed or a batch was stopped, 124 at the --timeout.\n"},
    {"batch pause", "ID...", "hold a batch", 1, -1, NEEDS_SERVER, TAKES(OPTION_REASON, OPTION_IDEMPOTENCY_KEY),
     run_batch_pause, NULL},
    {"batch resume", "ID...", "let a paused batch go on", 1, -1, NEEDS_SERVER,
     TAKES(OPTION_REASON, OPTION_IDEMPOTENCY_KEY), run_batch_resume, NULL},
    {"batch stop", "ID...", "end a batch; what is done stays", 1, -1, NEEDS_SERVER,
     TAKES(OPTION_REASON, OPTION_IDEMPOTENCY_KEY), run_batch_stop, NULL},
    {"topics list", "", "list topics of commands: paused, circuit, lag, answers", 0, 0, NEEDS_SERVER,
     TAKES(OPTION_LIMIT, OPTION_ALL), run_topics_list, NULL},
    {"topics get", "NAME", "show a topic, and who paused or resumed it", 1, 1, NEEDS_SERVER, NULL, run_topics_get, NULL},
    {"topics pause", "NAME...", "hold its commands back; no attempt is used up and no time runs", 1, -1, NEEDS_SERVER,
     TAKES(OPTION_REASON, OPTION_IDEMPOTENCY_KEY), run_topics_pause, NULL},
    {"topics resume", "NAME...", "send its commands again", 1, -1, NEEDS_SERVER,
     TAKES(OPTION_REASON, OPTION_IDEMPOTENCY_KEY), run_topics_resume, NULL},
    {"schedules list", "", "list what starts by the clock", 0, 0, NEEDS_SERVER,
     TAKES(OPTION_LIMIT, OPTION_ALL), run_schedules_list, NULL},
    {"schedules get", "NAME", "show a schedule and where it stands", 1, 1, NEEDS_SERVER, NULL, run_schedules_get, NULL},
    {"schedules apply", "FILE...", "make or change schedules", 1, -1, NEEDS_SERVER,
     TAKES(OPTION_REASON, OPTION_DRY_RUN, OPTION_IDEMPOTENCY_KEY), run_schedules_apply,
     "  {\"name\": \"nightly\", \"definition\": \"close-books\", \"cron\": \"30 2 * * MON-FRI\",\n"
     "   \"time_zone\": \"Europe/Berlin\", \"catch_up\": \"one\", \"overlap\": \"skip\"}\n"
     "What is left out has its default; a pause stays. --dry-run shows the next times.\n"},
    {"schedules delete", "NAME...", "start nothing more; sagas that run go on", 1, -1, NEEDS_SERVER,
     TAKES(OPTION_REASON, OPTION_YES, OPTION_IDEMPOTENCY_KEY), run_schedules_delete, NULL},
    {"schedules pause", "NAME...", "start nothing by the clock", 1, -1, NEEDS_SERVER,
     TAKES(OPTION_REASON, OPTION_IDEMPOTENCY_KEY), run_schedules_pause, NULL},
    {"schedules resume", "NAME...", "start by the clock again", 1, -1, NEEDS_SERVER,
     TAKES(OPTION_REASON, OPTION_IDEMPOTENCY_KEY), run_schedules_resume, NULL},
    {"schedules trigger", "NAME", "start it now; -o id prints the saga", 1, 1, NEEDS_SERVER,
     TAKES(OPTION_REASON, OPTION_IDEMPOTENCY_KEY), run_schedules_trigger, NULL},
    {"schedules next", "NAME", "show its next times", 1, 1, NEEDS_SERVER, TAKES(OPTION_LIMIT), run_schedules_next, NULL},
    {"schedules history", "NAME", "show what became of its times, and who changed it", 1, 1, NEEDS_SERVER,
     TAKES(OPTION_LIMIT, OPTION_ALL), run_schedules_history, NULL},

    {"dead-letters list", "", "list replies and signals that could not be taken", 0, 0, NEEDS_SERVER,
     TAKES(OPTION_LIMIT, OPTION_ALL), run_dead_letters_list, NULL},
    {"dead-letters replay", "ID...", "take them again", 1, -1, NEEDS_SERVER, TAKES(CHANGES), run_dead_letters_replay,
     NULL},
    {"dead-letters discard", "ID...", "put them aside for good", 1, -1, NEEDS_SERVER, TAKES(CHANGES),
     run_dead_letters_discard, NULL},

    {"config set-context", "NAME", "keep --url and --key under a name", 1, 1, NEEDS_NOTHING, NULL,
     run_config_set_context, "  sagactl config set-context prod --url https://sagad.example --key - < key.txt\n"},
    {"config use-context", "NAME", "use this context from now on", 1, 1, NEEDS_NOTHING, NULL, run_config_use_context,
     NULL},
    {"config get-contexts", "", "list the contexts", 0, 0, NEEDS_NOTHING, NULL, run_config_get_contexts, NULL},
    {"config view", "", "show the config file, without keys", 0, 0, NEEDS_NOTHING, NULL, run_config_view, NULL},

    {"demo", "", "play two business flows and 2,000 updates", 0, 0, NEEDS_SERVER, TAKES(OPTION_COUNT_OF, OPTION_SEED),
     run_demo, "Needs the demo participants; `make demo` starts everything.\n"},
    {"demo updates", "", "print content updates, one JSON object a line", 0, 0, NEEDS_NOTHING,
     TAKES(OPTION_COUNT_OF, OPTION_SEED), run_demo_updates,
     "  sagactl demo updates --count 2000 --seed 7 > updates.jsonl\n"},
    {"completion", "bash|zsh|fish", "print a completion script", 1, 1, NEEDS_NOTHING, NULL, run_completion,
     "  sagactl completion bash > /etc/bash_completion.d/sagactl\n"
     "  sagactl completion zsh > \"${fpath[1]}/_sagactl\"\n"
     "  sagactl completion fish > ~/.config/fish/completions/sagactl.fish\n"},
    {"version", "", "versions of sagactl and of sagad", 0, 0, NEEDS_SERVER, NULL, run_version, NULL},
    {"help", "[COMMAND]", "show this help", 0, 2, NEEDS_NOTHING, NULL, run_help, NULL},
};
/* clang-format on */

const size_t COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0];

static const struct command *find_named(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0) return &COMMANDS[i];
    }
    return NULL;
}

bool command_exists(const char *name)
{
    return find_named(name) != NULL;
}

/* The name's first word is `word` and it has a second one. */
static bool is_in_group(const char *name, const char *word)
{
    const size_t size = strlen(word);
    return strncmp(name, word, size) == 0 && name[size] == ' ';
}

static void tell_group(const char *word)
{
    char all[160] = "";
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (!is_in_group(COMMANDS[i].name, word)) continue;
        if (*all != '\0') strncat(all, ", ", sizeof all - strlen(all) - 1);
        strncat(all, COMMANDS[i].name + strlen(word) + 1, sizeof all - strlen(all) - 1);
    }
    if (*all != '\0') {
        tell_error(STATUS_USAGE, "`%s` needs one word more: %s", word, all);
    } else {
        tell_error(STATUS_USAGE, "there is no command `%s`; try: sagactl help", word);
    }
}

/* The nearest name; of a first word alone also the nearest group. */
static void tell_unknown(const char *first, const char *both)
{
    struct nearest whole = {.word = both};
    struct nearest word = {.word = first};
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        nearest_try(&whole, COMMANDS[i].name);
        if (strchr(COMMANDS[i].name, ' ') == NULL) nearest_try(&word, COMMANDS[i].name);
    }
    const char *best = whole.best != NULL ? whole.best : word.best;
    const bool alone = strcmp(first, both) == 0;
    if (best != NULL && !(alone && is_in_group(best, first))) {
        tell_error(STATUS_USAGE, "there is no command `%s`; did you mean `%s`?",
                   whole.best != NULL ? both : first, best);
    } else {
        tell_group(first);
    }
}

const struct command *command_find(const struct arguments *arguments, size_t *ret_words)
{
    const char *first = arguments->word[0];
    char both[64];
    (void)snprintf(both, sizeof both, "%s%s%s", first, arguments->word_count > 1 ? " " : "",
                   arguments->word_count > 1 ? arguments->word[1] : "");
    const struct command *found = find_named(both);
    *ret_words = arguments->word_count > 1 ? 2 : 1;
    if (found != NULL) return found;
    found = find_named(first);
    *ret_words = 1;
    if (found == NULL) tell_unknown(first, both);
    return found;
}

bool command_takes(const struct command *command, enum option option)
{
    if (option < OPTION_EVERYWHERE) return true;
    for (const enum option *each = command->options; each != NULL && *each != OPTION_END; each++) {
        if (*each == option) return true;
    }
    return false;
}

static enum status tell_option_not_taken(const struct command *command, enum option option)
{
    const char *name = option_rule(option)->name;
    struct nearest nearest = {.word = name};
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (command_takes(command, (enum option)i)) {
            nearest_try(&nearest, option_rule((enum option)i)->name);
        }
    }
    if (nearest.best != NULL) {
        return tell_error(STATUS_USAGE, "`%s` takes no --%s; did you mean --%s?", command->name,
                          name, nearest.best);
    }
    return tell_error(STATUS_USAGE, "`%s` takes no --%s; see: sagactl help %s", command->name, name,
                      command->name);
}

enum status command_check(const struct command *command, const struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (!command_takes(command, arguments->given[i].option)) {
            return tell_option_not_taken(command, arguments->given[i].option);
        }
    }
    const int words = (int)arguments->word_count;
    if (words >= command->least && (command->most < 0 || words <= command->most)) return STATUS_OK;
    return tell_error(STATUS_USAGE, "%s; usage: sagactl %s%s%s",
                      words < command->least ? "too few arguments" : "too many arguments",
                      command->name, *command->arguments != '\0' ? " " : "", command->arguments);
}
