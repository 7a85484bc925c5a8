#include "orchestrator/engine/caps.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct cap {
    struct caps *caps;
    char *name;
    size_t size;
    int64_t open;     /* as counted, and what this node started and ended since */
    int64_t entering; /* starts under way */
    int64_t counted;  /* by the count at hand */
    int64_t moved;    /* `open` since that began */
    struct cap *next;
};

struct caps {
    int64_t open_max, open_max_per_definition;
    pthread_mutex_t lock; /* guards the rest */
    struct cap all;
    struct cap *definitions; /* that have open sagas, or had some at the last count */
    uint64_t changes;
};

struct caps *caps_new(uint32_t open_max, uint32_t open_max_per_definition)
{
    if (open_max == 0 && open_max_per_definition == 0) return NULL;
    struct caps *caps = calloc(1, sizeof *caps);
    if (caps == NULL) abort();
    caps->open_max = open_max;
    caps->open_max_per_definition = open_max_per_definition;
    pthread_mutex_init(&caps->lock, NULL);
    return caps;
}

void caps_free(struct caps *caps)
{
    if (caps == NULL) return;
    while (caps->definitions != NULL) {
        struct cap *next = caps->definitions->next;
        free(caps->definitions->name);
        free(caps->definitions);
        caps->definitions = next;
    }
    pthread_mutex_destroy(&caps->lock);
    free(caps);
}

/* Locked. */
static struct cap *find(struct caps *caps, struct bytes name)
{
    struct cap **at = &caps->definitions;
    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->size == name.size && memcmp((*at)->name, name.data, name.size) == 0) return *at;
    }
    struct cap *cap = calloc(1, sizeof *cap);
    if (cap == NULL) abort();
    cap->caps = caps;
    cap->name = strndup(name.data, name.size);
    if (cap->name == NULL) abort();
    cap->size = name.size;
    *at = cap;
    return cap;
}

static bool is_full(const struct cap *cap, int64_t most)
{
    return most > 0 && cap->open + cap->entering >= most;
}

struct cap *caps_enter(struct caps *caps, struct bytes definition, const char **ret_why)
{
    pthread_mutex_lock(&caps->lock);
    struct cap *cap = find(caps, definition);
    const bool all = is_full(&caps->all, caps->open_max);
    const bool one = is_full(cap, caps->open_max_per_definition);
    if (!all && !one) {
        cap->entering++;
        caps->all.entering++;
    }
    pthread_mutex_unlock(&caps->lock);
    if (!all && !one) return cap;
    *ret_why = all ? "as many sagas are open as may be (open-max)"
                   : "as many sagas of this definition are open as may be "
                     "(open-max-per-definition)";
    return NULL;
}

void caps_leave(struct cap *cap)
{
    struct caps *caps = cap->caps;
    pthread_mutex_lock(&caps->lock);
    cap->entering--;
    caps->all.entering--;
    pthread_mutex_unlock(&caps->lock);
}

static void move(struct caps *caps, struct bytes definition, int64_t by)
{
    if (caps == NULL) return;
    pthread_mutex_lock(&caps->lock);
    struct cap *cap = find(caps, definition);
    cap->open += by;
    cap->moved += by;
    caps->all.open += by;
    caps->all.moved += by;
    caps->changes++;
    pthread_mutex_unlock(&caps->lock);
}

void caps_opened(struct caps *caps, struct bytes definition)
{
    move(caps, definition, 1);
}

void caps_closed(struct caps *caps, struct bytes definition)
{
    move(caps, definition, -1);
}

/* ---- what PostgreSQL says ---- */

uint64_t caps_count_begin(struct caps *caps)
{
    pthread_mutex_lock(&caps->lock);
    caps->all.moved = caps->all.counted = 0;
    for (struct cap *cap = caps->definitions; cap != NULL; cap = cap->next) {
        cap->moved = cap->counted = 0;
    }
    const uint64_t changes = caps->changes;
    pthread_mutex_unlock(&caps->lock);
    return changes;
}

/* What moved meanwhile may be in the count or not: a difference no larger than that says nothing.
 */
static void take_count(struct cap *cap, int64_t doubtful)
{
    const int64_t open = cap->counted + cap->moved;
    const int64_t off = open > cap->open ? open - cap->open : cap->open - open;
    if (off > doubtful) cap->open = open;
}

/* Names that nobody has open are forgotten: there may be as many as callers think of. */
static void prune(struct caps *caps)
{
    struct cap **at = &caps->definitions;
    while (*at != NULL) {
        struct cap *cap = *at;
        if (cap->open > 0 || cap->entering > 0) {
            at = &cap->next;
            continue;
        }
        *at = cap->next;
        free(cap->name);
        free(cap);
    }
}

void caps_counted(struct caps *caps, uint64_t begin, const struct state_count *rows, size_t count)
{
    pthread_mutex_lock(&caps->lock);
    for (size_t i = 0; i < count; i++) {
        find(caps, rows[i].definition)->counted += rows[i].count;
        caps->all.counted += rows[i].count;
    }
    const int64_t doubtful = (int64_t)(caps->changes - begin) + caps->all.entering;
    take_count(&caps->all, doubtful);
    for (struct cap *cap = caps->definitions; cap != NULL; cap = cap->next) {
        take_count(cap, doubtful);
    }
    prune(caps);
    pthread_mutex_unlock(&caps->lock);
}
