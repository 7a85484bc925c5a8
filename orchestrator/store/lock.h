/* orchestrator/store/lock.h: who may be open, who waits in line (lock.c) */
#ifndef ORCHESTRATOR_STORE_LOCK_H
#define ORCHESTRATOR_STORE_LOCK_H

#include "orchestrator/store/store.h"

/* A lock is a definition's name and a key; "": the definition's only one. */
struct lock_name {
    struct bytes definition, key;
};

/*
 * Give the free places of these locks to the first in their lines; the sagas whose turn it is now.
 * A transaction of its own, to be run after every commit that changed a line: any node, any number
 * of times. It waits for nodes that settle the same locks.
 */
MUST_CHECK bool store_locks_grant(struct store *store, const struct lock_name *locks, size_t count,
                                  struct arena *arena, struct uuid **ret_sagas, size_t *ret_count,
                                  struct err *err);

struct lock_line {
    struct lock_name lock;
    bool has_place; /* for the first in line */
};
/* Up to `limit` lines after the lock `after` ("", "": from the first). */
MUST_CHECK bool store_lock_lines(struct store *store, const struct lock_name *after, size_t limit,
                                 struct arena *arena, struct lock_line **ret_lines,
                                 size_t *ret_count, struct err *err);
/* Sagas whose turn it has been for `older_ms` and that have not been told. */
MUST_CHECK bool store_locks_untold(struct store *store, uint32_t older_ms, size_t limit,
                                   struct arena *arena, struct uuid **ret_sagas, size_t *ret_count,
                                   struct err *err);

/* Lines and holders are counted no further. */
enum { LOCKS_COUNTED_MAX = 10000 };

/* Where one saga stands. */
struct lock_place {
    struct lock_name lock;
    int64_t places;
    int64_t since_ms;
    bool waits;
    int64_t place; /* in line, from 1; 0: it waits no more */
    int64_t held;
    struct bytes holders; /* ids, 16 bytes each, those that came first */
};
/* Both counts are at most LOCKS_COUNTED_MAX. ERR_NOT_FOUND: it is in no line. */
MUST_CHECK bool store_lock_place(struct store *store, const struct uuid *saga, size_t sample,
                                 struct arena *arena, struct lock_place *ret_place,
                                 struct err *err);

struct lock_row {
    struct lock_name lock;
    int64_t places;
    int64_t held;
    struct bytes holders; /* as above */
    int64_t waiting;
    struct bytes next;      /* likewise, of those that wait */
    int64_t waits_since_ms; /* the first in line; 0: nobody waits */
};

struct lock_filter {
    struct lock_name from;   /* this lock and those after it */
    struct bytes definition; /* absent: all */
    bool waited_for;         /* only those */
    size_t limit, sample;
};
/* Locks that are held or waited for, by definition and key. */
MUST_CHECK bool store_locks(struct store *store, const struct lock_filter *filter,
                            struct arena *arena, struct lock_row **ret_rows, size_t *ret_count,
                            struct err *err);

#endif
