#include "api/keys.h"

#include "api/api.h"
#include "api/text.h"
#include "orchestrator/base/cleanup.h"
#include "orchestrator/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ID_SIZE = 12,
    SECRET_SIZE = 32,
    HASH_SIZE = 32,
    ID_TEXT_SIZE = 16,
    SECRET_TEXT_SIZE = 43,
    KEYS_MAX = 10000,
    FILE_SIZE_MAX = 4 * 1024 * 1024,
    LINE_SIZE_MAX = 512,
};

static const char PREFIX[] = "sagad_";

struct key_row {
    struct principal principal;
    uint8_t id[ID_SIZE];
    uint8_t hash[HASH_SIZE];
};

struct key_set {
    struct key_row *rows; /* sorted by id */
    size_t count;
};

struct keys {
    char *file;
    struct stat seen;      /* of what was read last */
    pthread_rwlock_t lock; /* guards `set` */
    struct key_set set;
};

static void close_file(FILE *file)
{
    (void)fclose(file);
}

DEFINE_CLEANUP(file, FILE *, close_file);

static const char *const ROLES[ROLE_COUNT] = {
    [ROLE_NOBODY] = "nobody",     [ROLE_READER] = "reader", [ROLE_SUBMITTER] = "submitter",
    [ROLE_OPERATOR] = "operator", [ROLE_ADMIN] = "admin",
};

const char *role_name(enum role role)
{
    return ROLES[role];
}

bool role_parse(struct bytes name, enum role *ret_role)
{
    for (enum role role = ROLE_READER; role < ROLE_COUNT; role++) {
        if (bytes_equal_text(name, ROLES[role])) {
            *ret_role = role;
            return true;
        }
    }
    return false;
}

static bool is_name(const char *name)
{
    const size_t size = strlen(name);
    static const char KNOWN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return size > 0 && size <= KEY_NAME_SIZE_MAX && strspn(name, KNOWN) == size;
}

static bool read_exact(struct bytes text, uint8_t *ret_data, size_t size)
{
    size_t read = 0;
    return sodium_base642bin(ret_data, size, text.data, text.size, NULL, &read, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           read == size;
}

static void hash_secret(const uint8_t id[ID_SIZE], const uint8_t secret[SECRET_SIZE],
                        uint8_t ret_hash[HASH_SIZE])
{
    uint8_t salt[crypto_generichash_KEYBYTES] = {0};
    memcpy(salt, id, ID_SIZE);
    (void)crypto_generichash(ret_hash, HASH_SIZE, secret, SECRET_SIZE, salt, sizeof(salt));
}

static int compare_rows(const void *a, const void *b)
{
    return memcmp(((const struct key_row *)a)->id, ((const struct key_row *)b)->id, ID_SIZE);
}

/* One line of the file; false: what is wrong with it. */
static bool read_line(char *line, struct key_row *ret_row, const char **ret_what)
{
    static const char BLANK[] = " \t\r\n";
    char *rest = NULL;
    const char *const name = strtok_r(line, BLANK, &rest);
    const char *const role = strtok_r(NULL, BLANK, &rest);
    const char *const id = strtok_r(NULL, BLANK, &rest);
    const char *const hash = strtok_r(NULL, BLANK, &rest);
    *ret_what = "expected `name role id hash`";
    if (name == NULL || role == NULL || id == NULL || hash == NULL) return false;
    if (strtok_r(NULL, BLANK, &rest) != NULL) return false;
    *ret_what = "the name may hold letters, digits, . _ and -";
    if (!is_name(name)) return false;
    *ret_what = "the role must be reader, submitter, operator or admin";
    if (!role_parse(bytes_of(role), &ret_row->principal.role)) return false;
    *ret_what = "id or hash is damaged";
    (void)snprintf(ret_row->principal.name, sizeof(ret_row->principal.name), "%s", name);
    return read_exact(bytes_of(id), ret_row->id, ID_SIZE) &&
           read_exact(bytes_of(hash), ret_row->hash, HASH_SIZE);
}

static bool is_blank(const char *line)
{
    line += strspn(line, " \t\r\n");
    return *line == '\0' || *line == '#';
}

static bool read_rows(const char *path, FILE *file, struct key_set *set, struct err *err)
{
    char line[LINE_SIZE_MAX];
    size_t capacity = 0;
    for (int number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
        const char *what = NULL;
        if (is_blank(line)) continue;
        if (set->count == KEYS_MAX) {
            return err_set(err, ERR_INVALID, "%s has more than %d keys", path, KEYS_MAX);
        }
        if (set->count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            set->rows = realloc(set->rows, capacity * sizeof(struct key_row));
            if (set->rows == NULL) abort();
        }
        set->rows[set->count] = (struct key_row){0};
        if (!read_line(line, &set->rows[set->count], &what)) {
            return err_set(err, ERR_INVALID, "%s line %d: %s", path, number, what);
        }
        set->count++;
    }
    qsort(set->rows, set->count, sizeof(struct key_row), compare_rows);
    return true;
}

static bool read_file(const char *path, struct key_set *ret_set, struct stat *ret_seen,
                      struct err *err)
{
    struct key_set set = {.rows = malloc(sizeof(struct key_row))};
    CLEANUP(file) FILE *file = fopen(path, "re");
    if (set.rows == NULL) abort();
    bool read = false;
    if (file == NULL || fstat(fileno(file), ret_seen) != 0) {
        (void)err_set(err, ERR_INVALID, "keys file %s: %s; make it by `sagad keys add`", path,
                      strerror(errno));
    } else if (ret_seen->st_size > FILE_SIZE_MAX) {
        (void)err_set(err, ERR_INVALID, "keys file %s is larger than 4 MiB", path);
    } else {
        read = read_rows(path, file, &set, err);
    }
    if (read) {
        *ret_set = set;
    } else {
        free(set.rows);
    }
    return read;
}

bool keys_open(const char *file, struct keys **ret_keys, struct err *err)
{
    struct key_set set;
    struct stat seen;
    if (!read_file(file, &set, &seen, err)) return false;
    struct keys *const keys = calloc(1, sizeof(*keys));
    if (keys == NULL) abort();
    keys->file = strdup(file);
    if (keys->file == NULL) abort();
    keys->set = set;
    keys->seen = seen;
    (void)pthread_rwlock_init(&keys->lock, NULL);
    *ret_keys = keys;
    return true;
}

void keys_close(struct keys *keys)
{
    if (keys == NULL) return;
    (void)pthread_rwlock_destroy(&keys->lock);
    free(keys->set.rows);
    free(keys->file);
    free(keys);
}

/* `sagad_<id>_<secret>` taken apart. */
static bool read_key(struct bytes key, uint8_t ret_id[ID_SIZE], uint8_t ret_secret[SECRET_SIZE])
{
    const size_t prefix = sizeof(PREFIX) - 1;
    if (key.size != prefix + ID_TEXT_SIZE + 1 + SECRET_TEXT_SIZE) return false;
    if (memcmp(key.data, PREFIX, prefix) != 0 || key.data[prefix + ID_TEXT_SIZE] != '_') {
        return false;
    }
    const char *const secret = key.data + prefix + ID_TEXT_SIZE + 1;
    return read_exact((struct bytes){key.data + prefix, ID_TEXT_SIZE}, ret_id, ID_SIZE) &&
           read_exact((struct bytes){secret, SECRET_TEXT_SIZE}, ret_secret, SECRET_SIZE);
}

bool keys_find(struct keys *keys, struct bytes key, struct principal *ret_principal)
{
    struct key_row wanted = {0};
    uint8_t secret[SECRET_SIZE];
    if (!read_key(key, wanted.id, secret)) return false;
    hash_secret(wanted.id, secret, wanted.hash);

    (void)pthread_rwlock_rdlock(&keys->lock);
    const struct key_row *const row =
        bsearch(&wanted, keys->set.rows, keys->set.count, sizeof(struct key_row), compare_rows);
    const bool found = row != NULL && sodium_memcmp(row->hash, wanted.hash, HASH_SIZE) == 0;
    if (found) *ret_principal = row->principal;
    (void)pthread_rwlock_unlock(&keys->lock);
    return found;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void keys_refresh(struct keys *keys)
{
    struct stat now;
    struct key_set set;
    struct err err;
    if (stat(keys->file, &now) != 0 || same_file(&now, &keys->seen)) return;
    keys->seen = now;
    if (!read_file(keys->file, &set, &now, &err)) {
        log_event(LOG_ERROR, "keys_unreadable", "reason=\"%s\"", err.text);
        return;
    }
    (void)pthread_rwlock_wrlock(&keys->lock);
    struct key_row *const old = keys->set.rows;
    keys->set = set;
    (void)pthread_rwlock_unlock(&keys->lock);
    free(old);
    log_event(LOG_INFO, "keys_read", "keys=%zu", set.count);
}

static bool name_is_free(const char *file, const char *name, struct err *err)
{
    struct key_set set;
    struct stat seen;
    if (access(file, F_OK) != 0) return true;
    if (!read_file(file, &set, &seen, err)) return false;
    bool is_free = true;
    for (size_t i = 0; i < set.count && is_free; i++) {
        is_free = strcmp(set.rows[i].principal.name, name) != 0;
    }
    free(set.rows);
    return is_free ||
           err_set(err, ERR_INVALID,
                   "%s has a key named %s; remove its line, or choose another name", file, name);
}

/* A file edited by hand may lack its last line end. */
static bool ends_open(int fd)
{
    struct stat now;
    char last = '\n';
    if (fstat(fd, &now) != 0 || now.st_size == 0) return false;
    return pread(fd, &last, 1, now.st_size - 1) == 1 && last != '\n';
}

static bool append(const char *file, const char *line, struct err *err)
{
    char text[LINE_SIZE_MAX];
    const int fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return err_set(err, ERR_INVALID, "%s: %s", file, strerror(errno));
    bool written = flock(fd, LOCK_EX) == 0;
    const int size =
        snprintf(text, sizeof(text), "%s%s", written && ends_open(fd) ? "\n" : "", line);
    written = written && write(fd, text, (size_t)size) == (ssize_t)size && fsync(fd) == 0;
    const int error = errno;
    (void)close(fd);
    return written || err_set(err, ERR_INVALID, "%s: %s", file, strerror(error));
}

bool api_keys_add(const char *file, const char *name, const char *role, char ret_key[80],
                  struct err *err)
{
    enum role parsed = ROLE_NOBODY;
    uint8_t id[ID_SIZE];
    uint8_t secret[SECRET_SIZE];
    uint8_t hash[HASH_SIZE];
    char id_text[ID_TEXT_SIZE + 1];
    char secret_text[SECRET_TEXT_SIZE + 1];
    char hash_text[SECRET_TEXT_SIZE + 1];
    char line[LINE_SIZE_MAX];
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "libsodium does not start");
    if (!is_name(name)) {
        return err_set(err, ERR_INVALID, "a key's name is 1 to %d of A-Z a-z 0-9 . _ -",
                       KEY_NAME_SIZE_MAX);
    }
    if (!role_parse(bytes_of(role), &parsed)) {
        return err_set(err, ERR_INVALID, "role %.20s is none of reader submitter operator admin",
                       role);
    }
    if (!name_is_free(file, name, err)) return false;

    randombytes_buf(id, sizeof(id));
    randombytes_buf(secret, sizeof(secret));
    hash_secret(id, secret, hash);
    const int form = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    sodium_bin2base64(id_text, sizeof(id_text), id, sizeof(id), form);
    sodium_bin2base64(secret_text, sizeof(secret_text), secret, sizeof(secret), form);
    sodium_bin2base64(hash_text, sizeof(hash_text), hash, sizeof(hash), form);
    (void)snprintf(line, sizeof(line), "%s %s %s %s\n", name, role_name(parsed), id_text,
                   hash_text);
    if (!append(file, line, err)) return false;
    (void)snprintf(ret_key, KEY_TEXT_SIZE, "%s%s_%s", PREFIX, id_text, secret_text);
    return true;
}
