#include "orchestrator/dev/dev.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/bus/embedded.h"
#include "orchestrator/dev/child.h"
#include "orchestrator/dev/port.h"
#include "orchestrator/dev/private_postgres.h"
#include "sagas/base/json_view.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    USUAL_PORT = 8080, /* sagactl's default */
    USUAL_ADMIN_PORT = 9090,
    PARTITIONS = 4,
    LOOK_EVERY_MS = 50,
    RUN_ENDS_WITHIN_MS = 5000,
    PARTICIPANTS_READY_MS = 15000,
    POSTGRES_AGAIN_MS = 1000,
    PATH_SIZE = 1024,
    LOG_TAIL = 4096,
    STATUS_FAILED = 1,
    STATUS_WRONG_USE = 2,
};

/* sagad's own, and those of the demo. Others are made by the broker when first used. */
static const char *const TOPICS[] = {
    "saga.replies",       "saga.events",      "saga.signals",      "saga.replies.dlt",
    "inventory.commands", "risk.commands",    "payments.commands", "shipping.commands",
    "mail.commands",      "content.commands",
};

struct dev {
    const struct dev_options *options;
    const struct dev_daemon *daemon;
    struct private_postgres *postgres;
    struct embedded_broker *broker;
    struct dev_place place;
    bool daemon_started;
    struct child *participants;
    pid_t run;    /* 0: none */
    int error_fd; /* the stderr we were given; ours is the log while `run` has the terminal */
    char programs[PATH_SIZE]; /* the folder of our own program */
    int64_t started_at_ms;
    int64_t postgres_again_ms; /* not started again before */
};

/* ---- where ---- */

static bool usual_directory(char ret_directory[PATH_SIZE], struct err *err)
{
    if (geteuid() == 0) {
        (void)snprintf(ret_directory, PATH_SIZE, "/var/lib/sagad-dev");
        return true;
    }
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (state != NULL && state[0] == '/') {
        (void)snprintf(ret_directory, PATH_SIZE, "%s/sagad/dev", state);
        return true;
    }
    if (home == NULL || home[0] != '/') {
        return err_set(err, ERR_INVALID, "no home directory: give --directory or --temporary");
    }
    (void)snprintf(ret_directory, PATH_SIZE, "%s/.local/state/sagad/dev", home);
    return true;
}

static void find_programs(struct dev *dev)
{
    const ssize_t length = readlink("/proc/self/exe", dev->programs, sizeof dev->programs - 1);
    dev->programs[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(dev->programs, '/');
    if (slash != NULL) *slash = '\0';
}

/* The usual ports are for the one who works with it; a test or a demo takes any. */
static void choose_addresses(struct dev *dev)
{
    const struct dev_options *options = dev->options;
    const bool usual = options->port == 0 && !options->temporary && options->run == NULL;
    const unsigned port = usual && port_is_free(USUAL_PORT) ? USUAL_PORT : options->port;
    const unsigned admin_port = usual && port_is_free(USUAL_ADMIN_PORT) ? USUAL_ADMIN_PORT : 0;
    struct dev_place *place = &dev->place;
    (void)snprintf(place->listen, sizeof place->listen, "127.0.0.1:%u", port);
    (void)snprintf(place->admin_listen, sizeof place->admin_listen, "127.0.0.1:%u", admin_port);
}

/* ---- the parts, in the order of their start ---- */

static bool start_postgres(struct dev *dev, struct err *err)
{
    char usual[PATH_SIZE];
    const char *directory = dev->options->directory;
    if (dev->options->temporary) {
        directory = NULL;
    } else if (directory == NULL) {
        if (!usual_directory(usual, err)) return false;
        directory = usual;
    }
    if (!private_postgres_start(directory, NULL, &dev->postgres, err)) return false;
    dev->place.database_url = private_postgres_url(dev->postgres);
    return true;
}

static void log_path(const struct dev *dev, char ret_path[PATH_SIZE])
{
    (void)snprintf(ret_path, PATH_SIZE, "%s/sagad.log", private_postgres_directory(dev->postgres));
}

/* With `run` the terminal belongs to the command; what we log goes to a file. */
static bool give_away_terminal(struct dev *dev, struct err *err)
{
    if (dev->options->run == NULL) return true;
    char path[PATH_SIZE];
    log_path(dev, path);
    const int log = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    dev->error_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    const bool given = log >= 0 && dev->error_fd >= 0 && dup2(log, STDERR_FILENO) >= 0;
    if (log >= 0) (void)close(log);
    return given ? true : err_set(err, ERR_UNAVAILABLE, "cannot write the log %.150s", path);
}

static bool start_broker(struct dev *dev, struct err *err)
{
    if (!embedded_start(&dev->broker, err)) return false;
    dev->place.brokers = embedded_brokers(dev->broker);
    for (size_t i = 0; i < sizeof TOPICS / sizeof TOPICS[0]; i++) {
        if (!embedded_topic(dev->broker, TOPICS[i], PARTITIONS, err)) return false;
    }
    return true;
}

static bool start_daemon(struct dev *dev, struct err *err)
{
    dev->daemon_started = true;
    return dev->daemon->start(dev->daemon->context, &dev->place, err);
}

static void ready_path(const struct dev *dev, char ret_path[PATH_SIZE])
{
    (void)snprintf(ret_path, PATH_SIZE, "%s/participants.ready",
                   private_postgres_directory(dev->postgres));
}

static bool start_participants(struct dev *dev, struct err *err)
{
    if (dev->options->no_participants) return true;
    char program[PATH_SIZE + 32];
    (void)snprintf(program, sizeof program, "%s/saga-demo-participants", dev->programs);
    if (access(program, X_OK) != 0) {
        return err_set(err, ERR_INVALID, "there is no %.180s: build it, or say --no-participants",
                       program);
    }
    const char *const argv[] = {
        program, "--brokers", dev->place.brokers, "--database", dev->place.database_url, NULL};
    const struct child_options options = {
        .argv = argv, .stop_signal = SIGTERM, .force_signal = SIGKILL};
    return child_start(&options, &dev->participants, err);
}

static bool start_all(struct dev *dev, struct err *err)
{
    choose_addresses(dev);
    find_programs(dev);
    return start_postgres(dev, err) && give_away_terminal(dev, err) && start_broker(dev, err) &&
           start_daemon(dev, err) && start_participants(dev, err);
}

static void stop_all(struct dev *dev)
{
    (void)child_stop(dev->participants);
    if (dev->daemon_started) dev->daemon->stop(dev->daemon->context);
    embedded_stop(dev->broker);
    private_postgres_stop(dev->postgres);
    if (dev->error_fd > 0) (void)close(dev->error_fd);
}

/* The broker lets a new consumer group form for some seconds. A person reads meanwhile, a command
 * waits. */
static void await_participants(const struct dev *dev)
{
    if (dev->options->run == NULL || dev->participants == NULL) return;
    char ready[PATH_SIZE];
    ready_path(dev, ready);
    const int64_t deadline_ms = clock_monotonic_ms() + PARTICIPANTS_READY_MS;
    while (access(ready, F_OK) != 0 && clock_monotonic_ms() < deadline_ms &&
           child_wait(dev->participants, LOOK_EVERY_MS) == CHILD_RUNNING) {
    }
}

/* ---- what is said when all is ready ---- */

static void say_in_json(const struct dev *dev, const char *address, const char *admin_address)
{
    struct arena arena = {0};
    struct buffer line = buffer_in(&arena);
    buffer_add_format(&line,
                      "{\"url\":\"http://%s\",\"admin_url\":\"http://%s\",\"brokers\":\"%s\"",
                      address, admin_address, dev->place.brokers);
    buffer_add_text(&line, ",\"database_url\":");
    json_write_text(&line, dev->place.database_url);
    buffer_add_text(&line, ",\"directory\":");
    json_write_text(&line, private_postgres_directory(dev->postgres));
    buffer_add_format(&line, ",\"pid\":%d}\n", (int)getpid());
    (void)fputs(line.data, stdout);
    arena_done(&arena);
}

static void say_in_words(const struct dev *dev, const char *address)
{
    const double seconds = (double)(clock_monotonic_ms() - dev->started_at_ms) / 1000.0;
    char usual[32];
    (void)snprintf(usual, sizeof usual, "127.0.0.1:%d", USUAL_PORT);
    (void)printf(
        "sagad dev: ready in %.1f s\n\n"
        "  api       http://%s\n"
        "  broker    %s   any Kafka client; kept in memory only\n"
        "  database  %s\n"
        "  files     %s%s\n\n"
        "Try it from another terminal:\n\n",
        seconds, address, dev->place.brokers, dev->place.database_url,
        private_postgres_directory(dev->postgres),
        dev->options->temporary ? "   removed at the end" : "");
    if (strcmp(address, usual) != 0) (void)printf("  export SAGACTL_URL=http://%s\n", address);
    (void)printf(
        "  sagactl demo\n"
        "  sagactl list\n"
        "  curl http://%s/v1/sagas\n\n"
        "Ctrl-C stops everything. The log:\n\n",
        address);
}

static void say_ready(const struct dev *dev)
{
    const char *address = dev->daemon->address(dev->daemon->context);
    if (dev->options->json) {
        say_in_json(dev, address, dev->daemon->admin_address(dev->daemon->context));
    } else if (dev->options->run == NULL) {
        say_in_words(dev, address);
    }
    (void)fflush(stdout);
}

/* ---- the command of --run ---- */

extern char **environ;

enum { PLACES = 5 };

static void name_places(const struct dev *dev, struct arena *arena, struct bytes ret_places[PLACES])
{
    const char *address = dev->daemon->address(dev->daemon->context);
    const char *path = getenv("PATH");
    struct buffer text[PLACES];
    for (size_t i = 0; i < PLACES; i++) {
        text[i] = buffer_in(arena);
    }
    buffer_add_format(&text[0], "SAGACTL_URL=http://%s", address);
    buffer_add_format(&text[1], "SAGAD_URL=http://%s", address);
    buffer_add_format(&text[2], "KAFKA_BROKERS=%s", dev->place.brokers);
    buffer_add_format(&text[3], "DATABASE_URL=%s", dev->place.database_url);
    buffer_add_format(&text[4], "PATH=%s:%s", dev->programs, path != NULL ? path : "/usr/bin:/bin");
    for (size_t i = 0; i < PLACES; i++) {
        ret_places[i] = buffer_bytes(&text[i]);
    }
}

static bool names_a_place(const char *variable, const struct bytes places[PLACES])
{
    for (size_t i = 0; i < PLACES; i++) {
        if (strncmp(variable, places[i].data, strcspn(places[i].data, "=") + 1) == 0) return true;
    }
    return false;
}

/* Ours, with the places instead of what they were before. */
static const char *const *environment_with(const struct bytes places[PLACES], struct arena *arena)
{
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    const char **environment = arena_array(arena, count + PLACES + 1, sizeof *environment);
    size_t used = 0;
    for (size_t i = 0; i < PLACES; i++) {
        environment[used++] = places[i].data;
    }
    for (size_t i = 0; i < count; i++) {
        if (!names_a_place(environ[i], places)) environment[used++] = environ[i];
    }
    environment[used] = NULL;
    return environment;
}

static bool start_run(struct dev *dev, struct err *err)
{
    if (dev->options->run == NULL) return true;
    struct arena arena = {0};
    struct bytes places[PLACES];
    name_places(dev, &arena, places);
    const char *const argv[] = {"/bin/sh", "-c", dev->options->run, NULL};
    const struct child_options options = {.argv = argv,
                                          .environment = environment_with(places, &arena),
                                          .error_fd = dev->error_fd,
                                          .stop_signal = SIGTERM};
    dev->run = child_spawn(&options);
    arena_done(&arena);
    return dev->run > 0 ? true : err_set(err, ERR_UNAVAILABLE, "cannot run a shell");
}

/* ---- until the end ---- */

static bool asked_to_stop(const sigset_t *signals)
{
    const struct timespec wait = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
    const int number = sigtimedwait(signals, NULL, &wait);
    if (number > 0) log_event(LOG_INFO, "stopping", "signal=%d", number);
    return number > 0;
}

static void look_after_participants(struct dev *dev)
{
    if (dev->participants == NULL || child_status(dev->participants) == CHILD_RUNNING) return;
    log_event(LOG_ERROR, "participants_ended", "status=%d", child_stop(dev->participants));
    dev->participants = NULL;
}

/* Killed, or out of memory: its data are sound, and the node waits for it. */
static void look_after_postgres(struct dev *dev)
{
    const int64_t now_ms = clock_monotonic_ms();
    if (now_ms < dev->postgres_again_ms || private_postgres_runs(dev->postgres)) return;
    dev->postgres_again_ms = now_ms + POSTGRES_AGAIN_MS;
    struct err err;
    if (private_postgres_start_again(dev->postgres, &err)) {
        log_event(LOG_WARNING, "postgres_started_again", "reason=\"it had ended\"");
    } else {
        log_event(LOG_ERROR, "postgres_ended", "reason=\"%s\"", err.text);
    }
}

static int end_run(const struct dev *dev)
{
    (void)kill(dev->run, SIGTERM);
    const int64_t deadline_ms = clock_monotonic_ms() + RUN_ENDS_WITHIN_MS;
    int status = child_spawned_status(dev->run);
    for (; status == CHILD_RUNNING; status = child_spawned_status(dev->run)) {
        if (clock_monotonic_ms() > deadline_ms) (void)kill(dev->run, SIGKILL);
        (void)usleep(LOOK_EVERY_MS * 1000);
    }
    return status;
}

static int wait_for_the_end(struct dev *dev, const sigset_t *signals)
{
    for (;;) {
        if (asked_to_stop(signals)) return dev->run > 0 ? end_run(dev) : 0;
        look_after_postgres(dev);
        look_after_participants(dev);
        const int status = dev->run > 0 ? child_spawned_status(dev->run) : CHILD_RUNNING;
        if (status != CHILD_RUNNING) return status;
    }
}

/* The command failed: the last of our log may say why. */
static void show_log(const struct dev *dev)
{
    char path[PATH_SIZE];
    char text[LOG_TAIL + 1];
    log_path(dev, path);
    const int log = open(path, O_RDONLY | O_CLOEXEC);
    if (log < 0) return;
    const off_t size = lseek(log, 0, SEEK_END);
    const ssize_t got = pread(log, text, LOG_TAIL, size > LOG_TAIL ? size - LOG_TAIL : 0);
    (void)close(log);
    if (got > 0) (void)dprintf(dev->error_fd, "\nThe end of sagad's log:\n%.*s", (int)got, text);
}

static int fail(const struct dev *dev, const struct err *err)
{
    (void)dprintf(dev->error_fd > 0 ? dev->error_fd : STDERR_FILENO, "sagad: %s\n", err->text);
    return err->kind == ERR_INVALID ? STATUS_WRONG_USE : STATUS_FAILED;
}

int dev_run(const struct dev_options *options, const struct dev_daemon *daemon)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);

    struct dev dev = {.options = options, .daemon = daemon, .started_at_ms = clock_monotonic_ms()};
    struct err err;
    int status = 0;
    if (!start_all(&dev, &err)) {
        status = fail(&dev, &err);
    } else {
        await_participants(&dev);
        say_ready(&dev);
        status = start_run(&dev, &err) ? wait_for_the_end(&dev, &signals) : fail(&dev, &err);
        if (status != 0 && dev.run > 0) show_log(&dev);
    }
    stop_all(&dev);
    return status;
}
