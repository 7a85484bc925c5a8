/*
 * `sagad dev` around a node that only notes what it is told. Each dev is a process of its own, as
 * it takes the signals of its process.
 */
#include "orchestrator/base/clock.h"
#include "orchestrator/dev/dev.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { TEXT_SIZE = 4096 };

/* What a dev process said, on stdout and stderr together, and how it ended. */
struct outcome {
    char text[TEXT_SIZE];
    int status;
};

static bool node_starts(void *context, const struct dev_place *place, struct err *err)
{
    (void)err;
    (void)context;
    (void)printf("node: start with %s\n", place->listen);
    (void)fflush(stdout);
    return true;
}

static bool node_refuses(void *context, const struct dev_place *place, struct err *err)
{
    (void)context;
    (void)place;
    return err_set(err, ERR_INVALID, "no node today");
}

static void node_stops(void *context)
{
    (void)context;
    (void)printf("node: stop\n");
    (void)fflush(stdout);
}

static const char *node_address(void *context)
{
    (void)context;
    return "127.0.0.1:4711";
}

static const char *node_admin_address(void *context)
{
    (void)context;
    return "127.0.0.1:4712";
}

struct running {
    pid_t pid;
    int output;
};

typedef bool start_function(void *context, const struct dev_place *place, struct err *err);

static struct running launch(const struct dev_options *options, start_function *start)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        const struct dev_daemon daemon = {.start = start,
                                          .stop = node_stops,
                                          .address = node_address,
                                          .admin_address = node_admin_address};
        _exit(dev_run(options, &daemon));
    }
    (void)close(ends[1]);
    return (struct running){pid, ends[0]};
}

/* Reads on until `words` were said or the process closed its output. */
static bool reads_until(const struct running *running, struct outcome *outcome, const char *words)
{
    const int64_t deadline_ms = clock_monotonic_ms() + 30000;
    size_t size = strlen(outcome->text);
    while (words == NULL || strstr(outcome->text, words) == NULL) {
        struct pollfd output = {.fd = running->output, .events = POLLIN};
        const int64_t left_ms = deadline_ms - clock_monotonic_ms();
        if (left_ms <= 0 || poll(&output, 1, (int)left_ms) <= 0) return false;
        const ssize_t got = read(running->output, outcome->text + size, TEXT_SIZE - 1 - size);
        if (got <= 0) return words == NULL;
        size += (size_t)got;
        outcome->text[size] = '\0';
    }
    return true;
}

static void ends(const struct running *running, struct outcome *outcome)
{
    int status = 0;
    assert_true(reads_until(running, outcome, NULL));
    assert_int_equal(waitpid(running->pid, &status, 0), running->pid);
    outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    (void)close(running->output);
}

static struct outcome result_of(const struct dev_options *options, start_function *start)
{
    struct outcome outcome = {0};
    const struct running running = launch(options, start);
    ends(&running, &outcome);
    return outcome;
}

static void assert_said(const struct outcome *outcome, const char *words)
{
    if (strstr(outcome->text, words) == NULL) {
        fail_msg("expected \"%s\" in:\n%s", words, outcome->text);
    }
}

static void a_command_finds_everything_and_its_status_is_ours(void **state)
{
    (void)state;
    const struct dev_options options = {
        .temporary = true,
        .no_participants = true,
        .run =
            "psql -X -A -t -c \"select 'asked ' || 6 * 7\" $DATABASE_URL && echo at $SAGACTL_URL "
            "$SAGAD_URL $KAFKA_BROKERS; exit 7"};

    const struct outcome outcome = result_of(&options, node_starts);

    assert_int_equal(outcome.status, 7);
    assert_said(&outcome, "asked 42");
    assert_said(&outcome, "at http://127.0.0.1:4711 http://127.0.0.1:4711 127.0.0.1:");
    assert_said(&outcome, "node: stop");
}

static void json_says_where_things_are_and_term_ends_it_well(void **state)
{
    (void)state;
    const struct dev_options options = {.temporary = true, .no_participants = true, .json = true};
    struct outcome outcome = {0};
    const struct running running = launch(&options, node_starts);

    assert_true(reads_until(&running, &outcome, "}\n"));
    assert_said(&outcome,
                "{\"url\":\"http://127.0.0.1:4711\",\"admin_url\":\"http://127.0.0.1:4712\","
                "\"brokers\":\"127.0.0.1:");
    assert_said(&outcome, ",\"database_url\":\"postgresql://postgres@127.0.0.1:");
    assert_int_equal(kill(running.pid, SIGTERM), 0);
    ends(&running, &outcome);

    assert_int_equal(outcome.status, 0);
    assert_said(&outcome, "node: stop");
}

static void a_database_that_was_killed_is_started_again(void **state)
{
    (void)state;
    const struct dev_options options = {
        .temporary = true,
        .no_participants = true,
        .run =
            "asks() { psql -X -A -t -c \"$1\" $DATABASE_URL; }\n"
            "asks 'create table kept as select 42 as n' || exit 1\n"
            "kill -9 $(head -n 1 $(asks 'show data_directory')/postmaster.pid)\n"
            "for try in $(seq 300); do asks 'select n from kept' && exit 0; sleep 0.1; done\n"
            "exit 2"};

    const struct outcome outcome = result_of(&options, node_starts);

    assert_int_equal(outcome.status, 0);
    assert_said(&outcome, "42");
}

static void a_node_that_does_not_start_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    const struct dev_options options = {.temporary = true, .no_participants = true, .run = "true"};

    const struct outcome outcome = result_of(&options, node_refuses);

    assert_int_equal(outcome.status, 2);
    assert_said(&outcome, "sagad: no node today");
}

static void remove_tree(const char *directory)
{
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
}

static void a_second_one_in_the_same_directory_is_refused(void **state)
{
    (void)state;
    char directory[] = "/tmp/sagad-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    const struct dev_options options = {
        .directory = directory, .no_participants = true, .json = true, .port = 1};
    struct outcome first = {0};
    const struct running running = launch(&options, node_starts);
    assert_true(reads_until(&running, &first, "}\n"));

    const struct outcome second = result_of(&options, node_starts);

    char expected[64];
    (void)snprintf(expected, sizeof expected, "is in use by process %d", (int)running.pid);
    assert_int_equal(second.status, 2);
    assert_said(&second, expected);
    assert_int_equal(kill(running.pid, SIGINT), 0);
    ends(&running, &first);
    assert_int_equal(first.status, 0);
    remove_tree(directory);
}

static void a_signal_ends_the_command_too(void **state)
{
    (void)state;
    const struct dev_options options = {
        .temporary = true, .no_participants = true, .run = "echo here; exec sleep 600"};
    struct outcome outcome = {0};
    const struct running running = launch(&options, node_starts);
    assert_true(reads_until(&running, &outcome, "here"));

    assert_int_equal(kill(running.pid, SIGTERM), 0);
    ends(&running, &outcome);

    assert_int_equal(outcome.status, 128 + SIGTERM);
    assert_said(&outcome, "node: stop");
}

static int block_signals(void **state)
{
    (void)state;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    return sigprocmask(SIG_BLOCK, &signals, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_finds_everything_and_its_status_is_ours),
        cmocka_unit_test(json_says_where_things_are_and_term_ends_it_well),
        cmocka_unit_test(a_database_that_was_killed_is_started_again),
        cmocka_unit_test(a_node_that_does_not_start_is_told_and_leaves_nothing),
        cmocka_unit_test(a_second_one_in_the_same_directory_is_refused),
        cmocka_unit_test(a_signal_ends_the_command_too),
    };
    return cmocka_run_group_tests(tests, block_signals, NULL);
}
