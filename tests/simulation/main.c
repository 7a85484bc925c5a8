/*
 * simulation [--seed N] [--worlds N] [--mutant N] [--trace]
 *   Worlds with the seeds N, N + 1, ...; SIMULATION_SEED stands for --seed. Exit 1: a promise was
 *   broken (its seed is printed), 2: something that faults should have caused never happened.
 * simulation --check-mutants
 *   Each planted bug must be found, or the simulation proves nothing.
 */
#include "tests/simulation/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORLDS = 10000, SEED = 1, MUTANT_WORLDS = 500 };

static const char *const COUNTER_NAMES[COUNTER_COUNT] = {
    [COUNT_SAGAS] = "sagas",
    [COUNT_SUCCEEDED] = "succeeded",
    [COUNT_COMPENSATED] = "compensated",
    [COUNT_TERMINATED] = "terminated",
    [COUNT_EVENTS] = "events decided",
    [COUNT_CRASHES_BEFORE_COMMIT] = "crashes before the commit",
    [COUNT_CRASHES_BEFORE_PUBLISH] = "crashes before publishing",
    [COUNT_CRASHES_AFTER_PUBLISH] = "crashes after publishing",
    [COUNT_CONFLICTS] = "lost compare-and-sets",
    [COUNT_RESENDS] = "recoveries that sent again",
    [COUNT_TOPIC_WAITS] = "commands that waited for their topic",
    [COUNT_TOPIC_RELEASES] = "sagas whose topic went on",
    [COUNT_CLOCK_JUMPS] = "clock jumps",
    [COUNT_COMMANDS] = "commands",
    [COUNT_COMMANDS_LOST] = "commands lost",
    [COUNT_COMMANDS_TWICE] = "commands twice",
    [COUNT_REPLIES_LOST] = "replies lost",
    [COUNT_REPLIES_TWICE] = "replies twice",
    [COUNT_DUPLICATE] = "duplicate replies",
    [COUNT_LATE] = "late replies",
    [COUNT_ILLEGAL_REPLIES] = "illegal replies",
    [COUNT_BAD_REPLIES] = "malformed replies",
    [COUNT_REFUSALS] = "refusals",
    [COUNT_RETRIES] = "retries",
    [COUNT_STATED_DELAYS] = "stated delays",
    [COUNT_NEVER_ON] = "codes never retried",
    [COUNT_PROGRESS] = "progress",
    [COUNT_PENDING] = "pending",
    [COUNT_TIMEOUTS] = "attempts timed out",
    [COUNT_UNKNOWN] = "unknown steps",
    [COUNT_BAD_OUTPUTS] = "outputs that break their schema",
    [COUNT_COMPENSATIONS] = "steps undone",
    [COUNT_NOTHING_TO_UNDO] = "with nothing to undo",
    [COUNT_WAIVED] = "undos waived",
    [COUNT_STUCK] = "stuck",
    [COUNT_PAUSED] = "paused",
    [COUNT_CANCELLED] = "cancelled",
    [COUNT_SAGA_TIMEOUTS] = "saga timeouts",
    [COUNT_OVERDUE] = "overdue past the pivot",
    [COUNT_PIVOT_WON] = "pivots faster than a turn",
    [COUNT_PAST_PIVOT] = "succeeded past a pivot",
    [COUNT_IGNORED_FAILURES] = "ignored failures",
    [COUNT_ITEMS] = "items of foreach",
    [COUNT_SKIPPED] = "skipped",
    [COUNT_EXPRESSION_ERRORS] = "expression errors",
    [COUNT_BARRIER_REPLAYS] = "barrier: replays",
    [COUNT_BARRIER_SKIPS] = "barrier: undo first",
    [COUNT_BARRIER_REFUSALS] = "barrier: action after undo",
    [COUNT_CONTRADICTIONS] = "contradictions",
    [COUNT_SIGNALS_AWAITED] = "signals to who waited",
    [COUNT_SIGNALS_EARLY] = "signals before their wait",
    [COUNT_SIGNALS_AGAIN] = "signals twice",
    [COUNT_SIGNALS_REFUSED] = "signals too late for the saga",
    [COUNT_SIGNALS_UNKNOWN] = "signals that nobody waits for",
    [COUNT_SIGNALS_MISSED] = "waits that went on without",
    [COUNT_DELAYS] = "delays",
    [COUNT_WAITS_DROPPED] = "waits dropped by a turn",
    [COUNT_PROBES_DONE] = "probes: it was done",
    [COUNT_PROBES_NEVER_RAN] = "probes: it never ran",
    [COUNT_PROBES_IN_VAIN] = "probes that nobody answered",
    [COUNT_PROBES_GOING_BACK] = "probes of a saga being undone",
    [COUNT_HELD] = "steps held",
    [COUNT_EXPOSED] = "effects neither confirmed nor undone",
    [COUNT_EXPOSED_UNKNOWN] = "effects that may have happened",
    [COUNT_MIGRATED] = "migrated to another version",
    [COUNT_MIGRATIONS_REFUSED] = "migrations refused",
    [COUNT_IN_LINE] = "sagas in line",
    [COUNT_LINES_LEFT] = "lines left before their turn",
    [COUNT_TURNS_FOUND] = "lost turns found",
    [COUNT_VERBS_APPLIED] = "operator verbs applied",
    [COUNT_VERBS_REFUSED] = "operator verbs refused",
};

static const char *const MUTANT_NAMES[MUTANT_COUNT] = {
    [MUTANT_NONE] = "none",
    [MUTANT_NO_BARRIER] = "the participant has no barrier",
    [MUTANT_NO_TOMBSTONE] = "an undo that finds nothing leaves no mark",
    [MUTANT_EARLY_PUBLISH] = "commands leave before the commit",
    [MUTANT_NO_CAS] = "no compare-and-set",
    [MUTANT_TORN_COMMIT] = "history is written, the state is lost",
    [MUTANT_FORGETS_UNKNOWN] = "unanswered attempts are forgotten",
    [MUTANT_EARLY_TIMER] = "timers fire early",
    [MUTANT_ONE_MORE] = "one attempt more than allowed",
    [MUTANT_LOST_TIMER] = "timers are lost",
    [MUTANT_MISTAKES_REFUSED] = "refused steps look done",
    [MUTANT_FORGETS_SIGNALS] = "kept signals are forgotten",
    [MUTANT_DELAYS_DRIFT] = "delays begin anew",
    [MUTANT_COUNTS_ANEW] = "attempts count anew after a probe",
    [MUTANT_RELEASES_HELD] = "held steps look refused",
    [MUTANT_FORGETS_WORTH] = "what effects are worth is forgotten",
    [MUTANT_FORGETS_VERSION] = "the version of a saga is forgotten",
    [MUTANT_FORGETS_LINE] = "a saga in line takes the lock for its own",
    [MUTANT_CROWDS] = "a place more than there are is given",
    [MUTANT_LOST_TURN] = "turns are lost",
    [MUTANT_TIME_RUNS] = "time runs while a topic is paused",
};

struct arguments {
    uint64_t seed, worlds;
    enum mutant mutant;
    bool traces, checks_mutants;
};

static noreturn void misuse(void)
{
    (void)fprintf(stderr,
                  "usage: simulation [--seed N] [--worlds N] [--mutant N] [--trace] | "
                  "--check-mutants\n");
    exit(64);
}

static uint64_t number_of(const char *text)
{
    char *end = NULL;
    if (text == NULL) misuse();
    const uint64_t number = strtoull(text, &end, 10);
    if (end == text || *end != '\0') misuse();
    return number;
}

static struct arguments read_arguments(int argc, char **argv)
{
    struct arguments arguments = {.seed = SEED, .worlds = WORLDS};
    const char *const seed = getenv("SIMULATION_SEED");
    if (seed != NULL) arguments.seed = number_of(seed);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            arguments.traces = true;
        } else if (strcmp(argv[i], "--check-mutants") == 0) {
            arguments.checks_mutants = true;
        } else if (strcmp(argv[i], "--seed") == 0) {
            arguments.seed = number_of(argv[++i]);
        } else if (strcmp(argv[i], "--worlds") == 0) {
            arguments.worlds = number_of(argv[++i]);
        } else if (strcmp(argv[i], "--mutant") == 0) {
            arguments.mutant = (enum mutant)number_of(argv[++i]);
        } else {
            misuse();
        }
    }
    return arguments;
}

static bool report(void)
{
    bool all = true;
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        (void)printf("%12llu  %s\n", (unsigned long long)counters[i], COUNTER_NAMES[i]);
        all = all && counters[i] > 0;
    }
    const size_t missed = report_unseen_cells() + report_unsaid();
    return missed == 0 && all;
}

static volatile uint64_t current_seed;

/* An assertion of the core failed: say where. Only what is safe in a handler. */
static void tell_seed(int signal_number)
{
    static char text[] = "ABORTED in the world of seed                     \n";
    char *at = text + sizeof(text) - 3;
    uint64_t left = current_seed;
    do {
        *at-- = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)signal(signal_number, SIG_DFL);
}

static void run_worlds(const struct arguments *arguments)
{
    for (uint64_t i = 0; i < arguments->worlds; i++) {
        current_seed = arguments->seed + i;
        run_world(current_seed, arguments->mutant, arguments->traces);
    }
}

/* ---- planted bugs ---- */

/* What the simulation says of a mutant, in `ret_said`; false: it kept every promise. */
static bool is_found(const struct arguments *arguments, char *ret_said, size_t size)
{
    int said[2];
    int status = 0;
    if (pipe(said) != 0) abort();
    (void)fflush(stdout);
    const pid_t child = fork();
    if (child < 0) abort();
    if (child == 0) {
        (void)dup2(said[1], STDERR_FILENO);
        if (freopen("/dev/null", "w", stdout) == NULL) abort();
        run_worlds(arguments);
        _exit(0);
    }
    (void)close(said[1]);
    size_t got = 0;
    ssize_t more = 1;
    while (more > 0 && got < size - 1) {
        more = read(said[0], ret_said + got, size - 1 - got);
        if (more > 0) got += (size_t)more;
    }
    ret_said[got] = '\0';
    ret_said[strcspn(ret_said, "\n")] = '\0';
    (void)close(said[0]);
    (void)waitpid(child, &status, 0);
    return status != 0;
}

static int check_mutants(const struct arguments *arguments)
{
    int missed = 0;
    for (enum mutant mutant = MUTANT_NONE + 1; mutant < MUTANT_COUNT; mutant++) {
        char said[200];
        const struct arguments planted = {
            .seed = arguments->seed, .worlds = MUTANT_WORLDS, .mutant = mutant};
        const bool found = is_found(&planted, said, sizeof(said));
        (void)printf("%s  %s: %s\n", found ? "found " : "MISSED", MUTANT_NAMES[mutant], said);
        if (!found) missed++;
    }
    return missed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct arguments arguments = read_arguments(argc, argv);
    if (arguments.checks_mutants) return check_mutants(&arguments);
    (void)signal(SIGABRT, tell_seed);
    (void)signal(SIGSEGV, tell_seed);
    run_worlds(&arguments);
    const bool all = report();
    (void)printf("%llu worlds from seed %llu: every promise kept\n",
                 (unsigned long long)arguments.worlds, (unsigned long long)arguments.seed);
    return all || arguments.worlds < WORLDS ? 0 : 2;
}
