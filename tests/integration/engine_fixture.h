/*
 * tests/integration/engine_fixture.h
 *   The engine between a real PostgreSQL and the embedded broker, for the tests of engine.h.
 *
 * A participant answers everything on `engine.commands` with success; nobody reads
 * `silent.commands`.
 */
#ifndef TESTS_INTEGRATION_ENGINE_FIXTURE_H
#define TESTS_INTEGRATION_ENGINE_FIXTURE_H

#include "orchestrator/bus/embedded.h"
#include "orchestrator/dev/private_postgres.h"
#include "orchestrator/engine/engine.h"

#include <pthread.h>

enum { DEADLINE_MS = 90000 };

extern struct private_postgres *postgres;
extern struct embedded_broker *broker;
extern struct store *reader;

int engine_fixture_start(void **state);
int engine_fixture_stop(void **state);

/* ---- a node ---- */

struct node {
    struct registry *registry;
    struct engine *engine;
    struct bus *bus;
    struct token_keys keys;
    struct bus_callbacks callbacks; /* what the bus calls */
};

void node_begin(struct node *node);
void node_begin_at(struct node *node, const char *database_url);
void node_end(struct node *node);

/* ---- asking ---- */

extern const char TWO_STEPS[]; /* a definition that the participant carries out */
extern const char SILENT[];    /* one whose command nobody reads */

struct call {
    struct request request;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool done;
    enum request_result result;
    enum verdict verdict;
    struct uuid id;
    uint32_t revision;
    enum saga_state state;
};

void submit(struct node *node, struct call *call);
void await(struct call *call);
void ask(struct node *node, struct call *call); /* both */
struct call start_of(struct node *node, const char *definition, const char *input);
struct call command_of(const struct uuid *id, enum event_kind kind);
/* Success of the first attempt. */
struct call reply_of(const struct uuid *id, const char *step, int32_t index);

/* From now on PostgreSQL refuses each start whose input says `poison`. */
void given_poison(void);
void take_poison_away(void);

/* ---- looking ---- */

void pause_a_little(void);
/* Borrowed until the next call. False: there is none. */
bool look_at(const struct uuid *id, struct saga_row *ret_row);
void await_state(const struct uuid *id, enum saga_state state);
/* The first column of the only row, or "". */
char *ask_database(const char *sql);
void await_answer(const char *sql, const char *wanted);
/* The value of a line of /metrics, 0 when it is not there. */
double metric(const char *series);

#endif
