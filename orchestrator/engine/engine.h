/*
 * orchestrator/engine/engine.h
 *   The one path: batch of events -> decide -> one commit -> publish -> answer.
 *
 * Events of a saga are taken by one worker (route by hash of its id). A batch is whatever
 * accumulated while the previous one committed. Nobody is answered and nothing is sent
 * before the commit.
 */
#ifndef ORCHESTRATOR_ENGINE_ENGINE_H
#define ORCHESTRATOR_ENGINE_ENGINE_H

#include "orchestrator/base/err.h"
#include "orchestrator/bus/bus.h"
#include "orchestrator/engine/registry.h"
#include "orchestrator/store/store.h"
#include "sagas/machine/machine.h"

struct engine;

/* What becomes of what happens to sagas, besides their histories. */
enum events {
    EVENTS_OFF,    /* nothing */
    EVENTS_STREAM, /* it can be heard: kept for a day, in one order */
    EVENTS_SAGAS,  /* ... and Kafka hears what happens to sagas as a whole */
    EVENTS_ALL,    /* ... and to their steps too */
};

struct engine_options {
    const char *database_url;
    const char *namespace_name;
    const char *node_name;
    uint32_t workers;          /* writer connections */
    uint32_t queue_max;        /* requests waiting for a worker before ERR_UNAVAILABLE */
    uint64_t cache_bytes;      /* sagas kept in memory, all workers together */
    uint64_t undispatched_max; /* sagas with unsent commands before starts are refused */
    uint32_t window_max;       /* commands of a topic that may be out at a time */
    /* Sagas that may be open before starts are refused; 0: any number. */
    uint32_t open_max, open_max_per_definition;
    int64_t retention_ms; /* of finished sagas; 0: for ever */
    enum events events;
    struct registry *registry;
};

MUST_CHECK bool engine_open(const struct engine_options *options, struct engine **ret_engine,
                            struct err *err);
/* The bus calls back into the engine: fill `callbacks` before bus_open, then give the bus and go.
 */
void engine_bus_callbacks(struct engine *engine, struct bus_callbacks *ret_callbacks);
MUST_CHECK bool engine_start(struct engine *engine, struct bus *bus, const struct token_keys *keys,
                             struct err *err);
/*
 * No new requests and no new replies; what is queued is carried out for at most grace_ms, and not
 * at all while the database is away: then workers end, what is left hears 503. A round trip to a
 * database that does not answer may take some seconds more. Before bus_stop_consuming, which would
 * wait for a consumer that the engine holds back.
 */
void engine_stop(struct engine *engine, uint32_t grace_ms);
void engine_close(struct engine *engine);

/* ---- requests: thread-safe, answered on a worker thread after the commit ---- */

enum request_result {
    RESULT_DONE,        /* start: created; command: applied; reply: see verdict */
    RESULT_EXISTS,      /* start: the id exists with the same content */
    RESULT_REPLAYED,    /* the Idempotency-Key was used before with the same fingerprint */
    RESULT_OTHER_BODY,  /* ... with another fingerprint: 422 */
    RESULT_ID_TAKEN,    /* start: the id exists with other content, or if_exists is fail: 409 */
    RESULT_NOT_FOUND,   /* no such saga, or step (`why` says) */
    RESULT_NOT_ALLOWED, /* 409: `why` says what would be */
    RESULT_STALE,       /* If-Match: 412 */
    RESULT_REFUSED,     /* 422: `input_report` (what `pointer` names, NULL: the input, breaks its
                           schema), else `why` and `pointer` (attributes cannot be computed) */
    RESULT_FULL,        /* 429: too much is undispatched or queued, or `why` says what is full */
    RESULT_UNAVAILABLE, /* 503: database away */
    RESULT_INTERNAL,    /* 500: quarantined */
};

struct start_request {
    const struct definition *definition; /* stored_id set */
    bool definition_paused;              /* starts pending and held */
    bool has_id;
    struct uuid id; /* where has_id; else the engine makes one */
    bool fail_if_exists;
    struct bytes input;                 /* exact bytes */
    const struct json_view *input_view; /* the same, where it has been read; NULL: not yet */
    struct bytes labels;                /* compact JSON object */
    int64_t start_at_ms;
    struct bytes trace, trace_state;
    const struct fork *fork; /* it is a fork (sagas/machine/fork.h); NULL: it is none */
};

/* Which runs of the saga's steps a step verb is meant for. */
enum command_scope {
    SCOPE_ONE,     /* the event says */
    SCOPE_ALL,     /* every item of the step to which it may be done */
    SCOPE_WAITING, /* of any step, or of that one: whatever waits for its next attempt */
};

struct command_request {
    struct uuid saga_id;
    bool has_if_match;
    uint32_t if_match;  /* revision */
    struct event event; /* step verbs: `step` is -1 and step_id names it */
    struct bytes step_id;
    enum command_scope scope;
};

struct reply_request {
    struct token token; /* already authenticated */
    struct event event; /* EVENT_REPLY */
};

enum request_kind { REQUEST_START, REQUEST_COMMAND, REQUEST_REPLY };

struct request_key {
    struct bytes key; /* absent: none given */
    uint8_t fingerprint[FINGERPRINT_SIZE];
};

struct answer {
    enum request_result result;
    enum verdict verdict;
    const char *why;
    const char *pointer;                      /* RESULT_REFUSED */
    const struct schema_report *input_report; /* likewise; borrowed for the call */
    const struct saga *saga; /* as committed; NULL where there is none. Borrowed for the call */
    /* RESULT_REPLAYED of a command or bulk: what was stored */
    uint16_t stored_status;
    struct bytes stored_answer;
};

/*
 * What the submitter owns: it fills the request, submits, and must leave it alone until `done` was
 * called (exactly once). `done` runs on an engine thread: copy what is needed, hand over, return.
 * All bytes must stay valid until then.
 */
struct request {
    enum request_kind kind;
    struct request_key key;
    union {
        struct start_request start;
        struct command_request command;
        struct reply_request reply;
    };
    void (*done)(struct request *request, const struct answer *answer);
    void *context;
    struct request *next; /* of the engine */
    struct cap *cap;      /* of the engine: it counts there until it is answered */
    bool replayed_key;    /* of the engine */
};

void engine_submit(struct engine *engine, struct request *request);
/* The same for many: they are taken in one batch per worker where they fit. */
void engine_submit_many(struct engine *engine, struct request **requests, size_t count);

/* ---- what others may ask ---- */

/* Called on a worker thread after each commit for each saga that changed. Set before engine_start.
 */
typedef void engine_changed(void *context, const struct uuid *id, uint32_t revision,
                            enum saga_state state);
void engine_on_changed(struct engine *engine, engine_changed *changed, void *context);

/* Are events of all sagas kept in one order here? */
bool engine_keeps_events(const struct engine *engine);

struct engine_health {
    bool database_up;
    bool broker_up;
    uint64_t undispatched; /* sagas whose commands wait for the broker */
    bool full;             /* undispatched_max reached */
    bool stalled;          /* a worker made no progress for 30 s */
    bool stopping;
};
void engine_health(struct engine *engine, struct engine_health *ret_health);

/* A definition was resumed: its sagas that wait for that go on soon. Thread-safe. */
void engine_release(struct engine *engine);

/* The record as it was, but of this moment; false: the row cannot be read. */
bool engine_letter_record(const struct dead_letter_row *row, struct arena *arena,
                          struct bus_record *ret_record);
/* Put a dead letter's record through the path again. Thread-safe; false: queue full. */
bool engine_replay_record(struct engine *engine, const struct bus_record *record);

#endif
