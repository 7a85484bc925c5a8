#include "orchestrator/dev/private_postgres.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/dev/child.h"
#include "orchestrator/dev/port.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_MAX_HERE = 512,
    READY_WITHIN_MS = 60000,
    LOOK_EVERY_MS = 10,
    /* Below the range that outgoing connections are given, so that a port is still free at a
       restart. */
    FIRST_PORT = 20000,
    PORT_COUNT = 12000,
    PORT_TRIES = 50,
    START_TRIES = 5,
    /* A predecessor that was killed is still being shut down by its watcher. */
    PREDECESSOR_MS = 20000,
};

struct private_postgres {
    char directory[PATH_MAX_HERE];
    char data[PATH_MAX_HERE];
    char log[PATH_MAX_HERE];
    char initdb[PATH_MAX_HERE];
    char server[PATH_MAX_HERE];
    char url[128];
    char *settings;
    bool temporary;
    bool switch_user;
    struct child_user user;
    int port;
    int owner_lock;  /* ours: says that somebody alive uses the directory */
    int server_lock; /* shared with the watcher: says that a server may still be running */
    struct child *process;
};

/* PostgreSQL reads much from the environment; a private one depends on none of it. */
static const char *const ENVIRONMENT[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC",
                                          NULL};

static const char SETTINGS[] =
    "listen_addresses = '127.0.0.1'\n"
    "unix_socket_directories = ''\n"
    "fsync = on\n"
    "max_connections = 200\n"
    "max_wal_size = '2GB'\n"
    "timezone = 'UTC'\n"
    "log_timezone = 'UTC'\n"
    "logging_collector = off\n"
    "cluster_name = 'sagad'\n";

static bool path_set(char path[PATH_MAX_HERE], struct err *err, const char *a, const char *b)
{
    const int length = snprintf(path, PATH_MAX_HERE, "%s%s", a, b);
    if (length > 0 && length < PATH_MAX_HERE) return true;
    return err_set(err, ERR_INVALID, "path too long: %.100s...", a);
}

/* ---- the installed server ---- */

static bool has_server(struct private_postgres *postgres, const char *bin)
{
    struct err ignored;
    return path_set(postgres->initdb, &ignored, bin, "/initdb") &&
           path_set(postgres->server, &ignored, bin, "/postgres") &&
           access(postgres->initdb, X_OK) == 0 && access(postgres->server, X_OK) == 0;
}

static bool has_debian_server(struct private_postgres *postgres)
{
    static const char FOLDER[] = "/usr/lib/postgresql/";
    glob_t found = {0};
    long newest = -1;
    char bin[PATH_MAX_HERE] = "";
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            const long version = strtol(found.gl_pathv[i] + strlen(FOLDER), NULL, 10);
            if (version <= newest || !has_server(postgres, found.gl_pathv[i])) continue;
            newest = version;
            (void)snprintf(bin, sizeof bin, "%s", found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return newest >= 0 && has_server(postgres, bin);
}

static bool has_server_on_path(struct private_postgres *postgres)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        const size_t length = strcspn(path, ":");
        char bin[PATH_MAX_HERE];
        (void)snprintf(bin, sizeof bin, "%.*s", (int)length, path);
        if (has_server(postgres, bin)) return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static bool find_server(struct private_postgres *postgres, struct err *err)
{
    const char *bin = getenv("PG_BIN");
    if (bin != NULL) {
        if (has_server(postgres, bin)) return true;
        return err_set(err, ERR_INVALID, "PG_BIN=%.150s holds no initdb and postgres", bin);
    }
    if (has_debian_server(postgres) || has_server_on_path(postgres)) return true;
    return err_set(err, ERR_INVALID,
                   "no PostgreSQL server found: apt-get install postgresql, or set PG_BIN to the "
                   "folder of initdb and postgres");
}

/* PostgreSQL refuses to run as root; Debian's package brings the user postgres. */
static bool find_user(struct private_postgres *postgres, struct err *err)
{
    postgres->switch_user = geteuid() == 0;
    if (!postgres->switch_user) return true;
    const struct passwd *entry = getpwnam("postgres");
    if (entry == NULL) {
        return err_set(err, ERR_INVALID,
                       "PostgreSQL does not run as root and there is no user postgres: apt-get "
                       "install postgresql, or run as another user");
    }
    struct child_user *user = &postgres->user;
    *user = (struct child_user){.uid = entry->pw_uid, .gid = entry->pw_gid};
    user->group_count = (int)(sizeof user->groups / sizeof user->groups[0]);
    if (getgrouplist("postgres", user->gid, user->groups, &user->group_count) < 0) {
        user->groups[0] = user->gid;
        user->group_count = 1;
    }
    return true;
}

/* ---- the directory ---- */

static bool make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made) return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool make_temporary(char path[PATH_MAX_HERE], struct err *err)
{
    const char *base = getenv("TMPDIR");
    if (base == NULL || *base != '/') base = "/tmp";
    if (!path_set(path, err, base, "/sagad-pg-XXXXXX")) return false;
    if (mkdtemp(path) != NULL) return true;
    return err_set(err, ERR_UNAVAILABLE, "cannot make %.150s: %s", path, strerror(errno));
}

static bool make_kept(char path[PATH_MAX_HERE], const char *directory, struct err *err)
{
    char here[PATH_MAX_HERE] = "";
    const bool relative = directory[0] != '/';
    if (relative && getcwd(here, sizeof here) == NULL) {
        return err_set(err, ERR_INVALID, "no working directory: %s", strerror(errno));
    }
    const int length =
        snprintf(path, PATH_MAX_HERE, "%s%s%s", here, relative ? "/" : "", directory);
    if (length >= PATH_MAX_HERE) return err_set(err, ERR_INVALID, "path too long: %.100s", path);
    if (make_parents(path)) return true;
    return err_set(err, ERR_INVALID, "cannot make %.150s: %s", path, strerror(errno));
}

static bool make_directory(struct private_postgres *postgres, const char *directory,
                           struct err *err)
{
    char *path = postgres->directory;
    postgres->temporary = directory == NULL;
    if (postgres->temporary ? !make_temporary(path, err) : !make_kept(path, directory, err)) {
        return false;
    }
    if (postgres->switch_user && chown(path, postgres->user.uid, postgres->user.gid) != 0) {
        return err_set(err, ERR_INVALID, "cannot give %.150s to user postgres: %s", path,
                       strerror(errno));
    }
    return path_set(postgres->data, err, path, "/data") &&
           path_set(postgres->log, err, path, "/postgres.log");
}

static int open_lock(const struct private_postgres *postgres, const char *name, struct err *err)
{
    char path[PATH_MAX_HERE];
    if (!path_set(path, err, postgres->directory, name)) return -1;
    const int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) (void)err_set(err, ERR_INVALID, "cannot open %.150s: %s", path, strerror(errno));
    return lock;
}

static bool lock_within(int lock, uint32_t timeout_ms)
{
    const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (clock_monotonic_ms() >= deadline_ms) return false;
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    return true;
}

static bool lock_directory(struct private_postgres *postgres, struct err *err)
{
    postgres->owner_lock = open_lock(postgres, "/owner.lock", err);
    if (postgres->owner_lock < 0) return false;
    if (!lock_within(postgres->owner_lock, 0)) {
        char pid[16] = "";
        (void)!pread(postgres->owner_lock, pid, sizeof pid - 1, 0);
        return err_set(err, ERR_INVALID, "%.150s is in use by process %d", postgres->directory,
                       (int)strtol(pid, NULL, 10));
    }
    (void)!ftruncate(postgres->owner_lock, 0);
    char pid[16];
    const int length = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    (void)!pwrite(postgres->owner_lock, pid, (size_t)length, 0);

    postgres->server_lock = open_lock(postgres, "/server.lock", err);
    if (postgres->server_lock < 0) return false;
    if (lock_within(postgres->server_lock, PREDECESSOR_MS)) return true;
    return err_set(err, ERR_INVALID, "the last PostgreSQL in %.150s is still running",
                   postgres->directory);
}

static bool write_text(const char *path, int flags, const char *a, const char *b, struct err *err)
{
    const int file = open(path, O_WRONLY | O_CREAT | flags | O_CLOEXEC, 0644);
    const bool written = file >= 0 && dprintf(file, "%s%s", a, b) >= 0;
    if (file >= 0) (void)close(file);
    if (written) return true;
    return err_set(err, ERR_UNAVAILABLE, "cannot write %.150s: %s", path, strerror(errno));
}

/* Made aside and renamed when complete: a cluster is there whole or not at all. */
static bool make_cluster(struct private_postgres *postgres, struct err *err)
{
    char half[PATH_MAX_HERE];
    char conf[PATH_MAX_HERE];
    if (!path_set(half, err, postgres->directory, "/data.half")) return false;
    child_remove_tree(half);
    const char *const argv[] = {postgres->initdb,
                                "-D",
                                half,
                                "-U",
                                "postgres",
                                "-A",
                                "trust",
                                "-E",
                                "UTF8",
                                "--locale=C",
                                "--no-instructions",
                                postgres->temporary ? "--no-sync" : NULL,
                                NULL};
    const struct child_options options = {.argv = argv,
                                          .environment = ENVIRONMENT,
                                          .directory = postgres->directory,
                                          .log = postgres->log,
                                          .user = postgres->switch_user ? &postgres->user : NULL};
    if (child_run(&options) != 0) {
        return err_set(err, ERR_UNAVAILABLE, "initdb failed; see %.150s", postgres->log);
    }
    if (!path_set(conf, err, half, "/postgresql.conf")) return false;
    if (!write_text(conf, O_APPEND, "\ninclude = 'sagad.conf'\n", "", err)) return false;
    if (rename(half, postgres->data) == 0) return true;
    return err_set(err, ERR_UNAVAILABLE, "cannot make %.150s: %s", postgres->data, strerror(errno));
}

static bool prepare_cluster(struct private_postgres *postgres, struct err *err)
{
    char path[PATH_MAX_HERE];
    if (access(postgres->data, F_OK) != 0 && !make_cluster(postgres, err)) return false;
    return path_set(path, err, postgres->data, "/sagad.conf") &&
           write_text(path, O_TRUNC, SETTINGS, postgres->settings, err);
}

/* ---- the server ---- */

static bool choose_port(struct private_postgres *postgres, struct err *err)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        unsigned chance = 0;
        (void)!getrandom(&chance, sizeof chance, 0);
        const int port = FIRST_PORT + (int)(chance % PORT_COUNT);
        if (!port_is_free(port)) continue;
        postgres->port = port;
        (void)snprintf(postgres->url, sizeof postgres->url,
                       "postgresql://postgres@127.0.0.1:%d/postgres", port);
        return true;
    }
    return err_set(err, ERR_UNAVAILABLE, "no free port on 127.0.0.1");
}

/* As pg_ctl does it: line 1 of postmaster.pid is the server's process, line 8 its status. */
static bool is_ready(const struct private_postgres *postgres)
{
    char path[PATH_MAX_HERE];
    struct err ignored;
    if (!path_set(path, &ignored, postgres->data, "/postmaster.pid")) return false;
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    char line[PATH_MAX_HERE];
    bool ready = false;
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        if (number == 1 && strtol(line, NULL, 10) != child_pid(postgres->process)) break;
        if (number == 8) ready = strncmp(line, "ready", 5) == 0;
    }
    (void)fclose(file);
    return ready;
}

static bool wait_until_ready(struct private_postgres *postgres, struct err *err)
{
    const int64_t deadline_ms = clock_monotonic_ms() + READY_WITHIN_MS;
    while (!is_ready(postgres)) {
        if (child_wait(postgres->process, LOOK_EVERY_MS) != CHILD_RUNNING) {
            return err_set(err, ERR_UNAVAILABLE, "PostgreSQL ended at its start; see %.150s",
                           postgres->log);
        }
        if (clock_monotonic_ms() > deadline_ms) {
            return err_set(err, ERR_UNAVAILABLE, "PostgreSQL is not ready after %d s; see %.150s",
                           READY_WITHIN_MS / 1000, postgres->log);
        }
    }
    return true;
}

static bool start_server(struct private_postgres *postgres, struct err *err)
{
    char port[16];
    (void)snprintf(port, sizeof port, "%d", postgres->port);
    const char *const argv[] = {postgres->server, "-D", postgres->data, "-p", port, NULL};
    const struct child_options options = {.argv = argv,
                                          .environment = ENVIRONMENT,
                                          .directory = postgres->directory,
                                          .log = postgres->log,
                                          .user = postgres->switch_user ? &postgres->user : NULL,
                                          .keep_fd = postgres->server_lock,
                                          .stop_signal = SIGINT,   /* fast: sessions are ended */
                                          .force_signal = SIGQUIT, /* immediate: as a crash */
                                          .remove_when_orphan =
                                              postgres->temporary ? postgres->directory : NULL};
    if (!child_start(&options, &postgres->process, err)) return false;
    if (wait_until_ready(postgres, err)) return true;
    (void)child_stop(postgres->process);
    postgres->process = NULL;
    return false;
}

/* Somebody may take the port between our look and the server's bind. */
static bool start_on_some_port(struct private_postgres *postgres, struct err *err)
{
    for (int left = START_TRIES;; left--) {
        if (!choose_port(postgres, err)) return false;
        struct err attempt;
        if (start_server(postgres, &attempt)) return true;
        if (left > 1 && !port_is_free(postgres->port)) continue;
        *err = attempt;
        return false;
    }
}

static bool start(struct private_postgres *postgres, const char *directory, struct err *err)
{
    return find_server(postgres, err) && find_user(postgres, err) &&
           make_directory(postgres, directory, err) && lock_directory(postgres, err) &&
           prepare_cluster(postgres, err) && start_on_some_port(postgres, err);
}

bool private_postgres_start(const char *directory, const char *settings,
                            struct private_postgres **ret_postgres, struct err *err)
{
    struct private_postgres *postgres = calloc(1, sizeof *postgres);
    if (postgres == NULL) abort();
    postgres->owner_lock = postgres->server_lock = -1;
    postgres->settings = strdup(settings != NULL ? settings : "");
    if (postgres->settings == NULL) abort();

    if (!start(postgres, directory, err)) {
        private_postgres_stop(postgres);
        return false;
    }
    *ret_postgres = postgres;
    return true;
}

const char *private_postgres_url(const struct private_postgres *postgres)
{
    return postgres->url;
}

const char *private_postgres_directory(const struct private_postgres *postgres)
{
    return postgres->directory;
}

bool private_postgres_runs(const struct private_postgres *postgres)
{
    return postgres->process != NULL && child_status(postgres->process) == CHILD_RUNNING;
}

bool private_postgres_start_again(struct private_postgres *postgres, struct err *err)
{
    (void)child_stop(postgres->process);
    postgres->process = NULL;
    return start_server(postgres, err);
}

bool private_postgres_crash(struct private_postgres *postgres, struct err *err)
{
    child_signal(postgres->process, SIGQUIT);
    (void)child_wait(postgres->process, READY_WITHIN_MS);
    return private_postgres_start_again(postgres, err);
}

void private_postgres_stop(struct private_postgres *postgres)
{
    if (postgres == NULL) return;
    (void)child_stop(postgres->process);
    if (postgres->temporary && postgres->directory[0] == '/') {
        child_remove_tree(postgres->directory);
    }
    if (postgres->owner_lock >= 0) (void)close(postgres->owner_lock);
    if (postgres->server_lock >= 0) (void)close(postgres->server_lock);
    free(postgres->settings);
    free(postgres);
}
