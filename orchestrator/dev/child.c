#include "orchestrator/dev/child.h"

#include "orchestrator/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FORCE_AFTER_MS = 10000,
    KILL_AFTER_MS = 5000, /* after the force */
    WATCHER_SOCKET = 3,
    WATCHER_LOCK = 4,
    COULD_NOT_RUN = 127,
};

struct child {
    pid_t watcher;
    pid_t pid;
    int socket; /* to the watcher: signal numbers; from it: the pid, then the status */
    int status;
    int stop_signal;
};

extern char **environ;

/* ---- in the program's process, before it is the program ---- */

static bool become(const struct child_user *user)
{
    if (user == NULL) return true;
    return setgroups((size_t)user->group_count, user->groups) == 0 && setgid(user->gid) == 0 &&
           setuid(user->uid) == 0;
}

static void default_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void no_input(void)
{
    const int null = open("/dev/null", O_RDONLY);
    if (null >= 0) (void)dup2(null, STDIN_FILENO);
}

static void redirect(const char *log)
{
    if (log == NULL) return;
    const int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0) return;
    (void)dup2(file, STDOUT_FILENO);
    (void)dup2(file, STDERR_FILENO);
}

_Noreturn static void exec_program(const struct child_options *options)
{
    default_signals();
    redirect(options->log);
    if (options->error_fd > 0) (void)dup2(options->error_fd, STDERR_FILENO);
    (void)close_range(WATCHER_SOCKET, ~0U, 0);
    if (!become(options->user)) _exit(COULD_NOT_RUN);
    /* A change of user clears this, so it comes after. It covers the watcher's own death. */
    (void)prctl(PR_SET_PDEATHSIG, options->stop_signal);
    if (options->directory != NULL && chdir(options->directory) != 0) _exit(COULD_NOT_RUN);

    /* execve writes to neither; its types are older than const. */
    union {
        const char *const *ours;
        char *const *its;
    } argv = {.ours = options->argv}, environment = {.ours = options->environment};
    (void)execve(options->argv[0], argv.its, environment.its != NULL ? environment.its : environ);
    _exit(COULD_NOT_RUN);
}

static int status_of(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* ---- the watcher ---- */

static void wake_up(int signal_number)
{
    (void)signal_number; /* its only purpose is to interrupt ppoll */
}

struct watch {
    const struct child_options *options;
    pid_t pid;
    bool orphan;
    int64_t next_step_at_ms; /* when to insist; 0: nobody asked to end */
    int next_signal;
};

static void insist_from_now(struct watch *watch)
{
    watch->next_step_at_ms = clock_monotonic_ms() + FORCE_AFTER_MS;
    watch->next_signal = watch->options->force_signal;
}

static void insist(struct watch *watch)
{
    if (watch->next_step_at_ms == 0 || clock_monotonic_ms() < watch->next_step_at_ms) return;
    (void)kill(watch->pid, watch->next_signal);
    watch->next_step_at_ms = clock_monotonic_ms() + KILL_AFTER_MS;
    watch->next_signal = SIGKILL;
}

/* What the owner says: a signal to pass on, or, by dying, that all is over. */
static void listen_to_owner(struct watch *watch)
{
    unsigned char number = 0;
    const ssize_t got = read(WATCHER_SOCKET, &number, 1);
    if (got < 0) return;
    if (got == 0) {
        watch->orphan = true;
        number = (unsigned char)watch->options->stop_signal;
    }
    (void)kill(watch->pid, number);
    if (number == watch->options->stop_signal) insist_from_now(watch);
}

static int watch_until_end(struct watch *watch)
{
    sigset_t open_mask;
    sigemptyset(&open_mask);
    for (;;) {
        int wait_status = 0;
        if (waitpid(watch->pid, &wait_status, WNOHANG) == watch->pid) return status_of(wait_status);
        struct pollfd owner = {.fd = watch->orphan ? -1 : WATCHER_SOCKET, .events = POLLIN};
        const struct timespec tick = {.tv_sec = 1};
        if (ppoll(&owner, 1, &tick, &open_mask) > 0) listen_to_owner(watch);
        insist(watch);
    }
}

/* SIGCHLD stays blocked outside of ppoll, so that none is missed between the look and the wait. */
static void watcher_signals(void)
{
    default_signals();
    sigset_t chld;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &chld, NULL);
    const struct sigaction action = {.sa_handler = wake_up};
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
}

/* Keep the socket and the lock, and nothing else: what we inherited belongs to others. */
static void watcher_descriptors(int socket, int lock)
{
    const int high_lock = lock > 0 ? fcntl(lock, F_DUPFD, 10) : -1;
    const int high_socket = fcntl(socket, F_DUPFD, 10);
    (void)dup2(high_socket, WATCHER_SOCKET);
    unsigned first_closed = WATCHER_LOCK;
    if (high_lock >= 0) {
        (void)dup2(high_lock, WATCHER_LOCK);
        first_closed++;
    }
    (void)close_range(first_closed, ~0U, 0);
}

_Noreturn static void watcher_main(const struct child_options *options, int socket)
{
    (void)setsid();
    no_input();
    (void)prctl(PR_SET_NAME, "sagad-watcher");
    watcher_signals();
    watcher_descriptors(socket, options->keep_fd);

    struct watch watch = {.options = options, .pid = fork()};
    if (watch.pid == 0) exec_program(options);
    (void)!write(WATCHER_SOCKET, &watch.pid, sizeof watch.pid);
    if (watch.pid < 0) _exit(COULD_NOT_RUN);
    /* Whoever reads our owner's output must not wait for us: only the program may hold it open. */
    redirect("/dev/null");

    const int status = watch_until_end(&watch);
    if (!watch.orphan) {
        (void)!write(WATCHER_SOCKET, &status, sizeof status);
    } else if (options->remove_when_orphan != NULL) {
        child_remove_tree(options->remove_when_orphan);
    }
    _exit(0);
}

/* ---- in our process ---- */

static pid_t wait_for(pid_t pid, int *ret_status)
{
    pid_t got = 0;
    do {
        got = waitpid(pid, ret_status, 0);
    } while (got < 0 && errno == EINTR);
    return got;
}

static bool read_word(int socket, int *ret_word)
{
    ssize_t got = 0;
    do {
        got = recv(socket, ret_word, sizeof *ret_word, MSG_WAITALL);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof *ret_word;
}

bool child_start(const struct child_options *options, struct child **ret_child, struct err *err)
{
    assert(options->argv != NULL && options->argv[0] != NULL);
    static_assert(sizeof(pid_t) == sizeof(int), "the socket carries words of one size");

    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return err_set(err, ERR_UNAVAILABLE, "no socket for a child process: %s", strerror(errno));
    }
    const pid_t watcher = fork();
    if (watcher == 0) watcher_main(options, ends[1]);
    (void)close(ends[1]);

    int pid = -1;
    if (watcher < 0 || !read_word(ends[0], &pid) || pid < 0) {
        (void)close(ends[0]);
        if (watcher > 0) (void)wait_for(watcher, NULL);
        return err_set(err, ERR_UNAVAILABLE, "cannot start a process for %s", options->argv[0]);
    }
    struct child *child = calloc(1, sizeof *child);
    if (child == NULL) abort();
    *child = (struct child){watcher, pid, ends[0], CHILD_RUNNING, options->stop_signal};
    *ret_child = child;
    return true;
}

pid_t child_pid(const struct child *child)
{
    return child->pid;
}

int child_wait(struct child *child, uint32_t timeout_ms)
{
    const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    while (child->status == CHILD_RUNNING) {
        const int64_t left_ms = deadline_ms - clock_monotonic_ms();
        struct pollfd watcher = {.fd = child->socket, .events = POLLIN};
        const int ready = poll(&watcher, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready == 0) break;
        if (ready < 0) continue;
        /* A watcher that ends without a word was killed; the program got its death signal. */
        if (!read_word(child->socket, &child->status)) child->status = 128 + SIGKILL;
    }
    return child->status;
}

int child_status(struct child *child)
{
    return child_wait(child, 0);
}

void child_signal(struct child *child, int signal_number)
{
    const unsigned char number = (unsigned char)signal_number;
    if (child->status == CHILD_RUNNING) (void)send(child->socket, &number, 1, MSG_NOSIGNAL);
}

int child_stop(struct child *child)
{
    if (child == NULL) return 0;
    child_signal(child, child->stop_signal); /* the watcher insists from here on */
    while (child_wait(child, FORCE_AFTER_MS) == CHILD_RUNNING) {
    }
    (void)wait_for(child->watcher, NULL);
    const int status = child->status;
    (void)close(child->socket);
    free(child);
    return status;
}

pid_t child_spawn(const struct child_options *options)
{
    const pid_t pid = fork();
    if (pid == 0) exec_program(options);
    return pid;
}

int child_spawned_status(pid_t pid)
{
    int status = 0;
    return waitpid(pid, &status, WNOHANG) == pid ? status_of(status) : CHILD_RUNNING;
}

int child_run(const struct child_options *options)
{
    const pid_t pid = child_spawn(options);
    int status = 0;
    if (pid < 0 || wait_for(pid, &status) != pid) return COULD_NOT_RUN;
    return status_of(status);
}

void child_remove_tree(const char *directory)
{
    assert(directory != NULL && directory[0] == '/');
    const char *const argv[] = {"/bin/rm", "-rf", "--", directory, NULL};
    (void)child_run(&(struct child_options){.argv = argv, .log = "/dev/null"});
}
