/* orchestrator/store/schedule_rows.h: schedules and what came of them (schedule_rows.c) */
#ifndef ORCHESTRATOR_STORE_SCHEDULE_ROWS_H
#define ORCHESTRATOR_STORE_SCHEDULE_ROWS_H

#include "orchestrator/store/store.h"

struct schedule_row {
    struct bytes name;
    struct uuid uid; /* of this life of the name */
    struct bytes definition;
    uint32_t version; /* 0: the newest */
    struct bytes cron, time_zone, input;
    enum catch_up catch_up;
    int64_t catch_up_window_ms;
    enum overlap overlap;
    bool paused;
    int64_t created_at_ms, updated_at_ms;
    uint32_t revision; /* what people changed */
    uint32_t turn;     /* what moved next_at_ms or waiting */
    int64_t next_at_ms;
    struct bytes waiting;         /* instants, eight bytes each, the highest first */
    int64_t last_scheduled_at_ms; /* the latest time of a saga that was started */
    int64_t last_at_ms;
    struct uuid last_saga; /* all zero: none */
    int64_t error_at_ms;   /* 0: the last time was good */
    struct bytes error_code, error_detail;
    int64_t started, missed, skipped, failed;
    int64_t now_ms;        /* of the database */
    bool previous_is_open; /* store_schedules_due only */
};

MUST_CHECK bool store_schedule(struct store *store, struct bytes name, struct arena *arena,
                               struct schedule_row *ret_row, struct err *err);
/* By name, after `after_name`. */
MUST_CHECK bool store_schedule_list(struct store *store, struct bytes after_name, size_t limit,
                                    struct arena *arena, struct schedule_row **ret_rows,
                                    size_t *ret_count, struct err *err);

enum schedule_verb {
    SCHEDULE_CREATE,  /* ERR_CONFLICT: the name exists */
    SCHEDULE_CHANGE,  /* of the revision in `row` */
    SCHEDULE_DELETE,  /* of the revision in `row` */
    SCHEDULE_TRIGGER, /* of the turn in `row`, for `at_ms` */
};
/* What somebody does, its event and the answer to its Idempotency-Key: one transaction. */
struct schedule_write {
    enum schedule_verb verb;
    struct schedule_row row; /* as it is to be; uid, revision and turn as read */
    bool sets_next;          /* SCHEDULE_CHANGE: next_at_ms is new */
    uint32_t missed;         /* times given up by that */
    int64_t at_ms;
    const char *kind; /* of the event: created changed paused resumed deleted triggered */
    struct bytes actor, reason, detail;
    const struct request_key_write *key; /* NULL: none */
};
/* ERR_CONFLICT: it changed meanwhile, or the key was used: look again. */
MUST_CHECK bool store_schedule_write(struct store *store, const struct schedule_write *write,
                                     struct err *err);

/* Schedules that are due by the database's clock; nobody else gets them for `lease_ms`. */
MUST_CHECK bool store_schedules_due(struct store *store, size_t limit, int64_t lease_ms,
                                    struct arena *arena, struct schedule_row **ret_rows,
                                    size_t *ret_count, struct err *err);
struct schedule_record { /* what a turn came to */
    struct bytes name;
    struct uuid uid;
    uint32_t turn; /* as read */
    int64_t next_at_ms;
    struct bytes waiting;
    int64_t wake_at_ms;
    int64_t scheduled_at_ms;               /* 0: nothing was to be started */
    struct uuid saga;                      /* that was started; all zero: none */
    struct bytes error_code, error_detail; /* absent: none */
    uint32_t missed;
    int64_t missed_until_ms;
    uint32_t skipped;
    int64_t skipped_until_ms;
    bool settled; /* false: the same again at wake_at_ms */
};
/*
 * A schedule whose turn has moved meanwhile stays where it is; a saga that was started is written
 * down all the same, once. Names are distinct.
 */
MUST_CHECK bool store_schedules_record(struct store *store, const struct schedule_record *records,
                                       size_t count, struct err *err);

struct schedule_event_row {
    int64_t id, at_ms;
    struct bytes kind;
    int64_t scheduled_at_ms; /* 0: none */
    struct uuid saga;
    int64_t count;
    struct bytes actor, reason, detail; /* absent: none */
};
/* Newest first, ids below `before` (0: from the newest). */
MUST_CHECK bool store_schedule_events(struct store *store, struct bytes name, int64_t before,
                                      size_t limit, struct arena *arena,
                                      struct schedule_event_row **ret_rows, size_t *ret_count,
                                      struct err *err);
/* One of the IANA names that PostgreSQL knows, spelt as there? Slow: a tenth of a second. */
MUST_CHECK bool store_zone_exists(struct store *store, struct bytes name, bool *ret_exists,
                                  struct err *err);
/* Its changes from a year before `now_ms` until CRON_YEARS after. ERR_INVALID: there is no such
 * zone. */
MUST_CHECK bool store_zone(struct store *store, struct bytes name, int64_t now_ms,
                           struct arena *arena, struct zone *ret_zone, struct err *err);

#endif
