/*
 * tests/integration/test_bus_desk.h
 *   What the bus's tests stand at: a broker, a desk that notes every callback, and an independent
 *   reader. Whatever is waited for is waited for with a deadline.
 */
#ifndef TESTS_INTEGRATION_TEST_BUS_DESK_H
#define TESTS_INTEGRATION_TEST_BUS_DESK_H

#include "orchestrator/bus/bus.h"
#include "orchestrator/bus/embedded.h"

#include <pthread.h>
#include <unistd.h>

enum { DESK_RECORDS_MAX = 4096, PARTITIONS = 4, PATIENCE_MS = 60 * 1000 };

/* ---- the broker ---- */

struct place {
    const char *brokers;
    struct embedded_broker *embedded; /* NULL: a real broker */
    char prefix[40];                  /* of topics and groups: a test never sees another's */
};

/* A fresh embedded broker. */
void place_open_embedded(struct place *place);
/* False when KAFKA_BROKERS is not set. */
bool place_open_kafka(struct place *place);
void place_close(struct place *place);
/* Makes <prefix><name> with PARTITIONS partitions; the name is static until the next call but
 * three. */
const char *place_topic(struct place *place, const char *name);

/* ---- the desk ---- */

struct note {
    int32_t partition;
    int64_t offset;
    char key[64];
    size_t value_size;
    char value[64]; /* its beginning */
    struct arena *arena;
    struct bus_record record; /* a copy */
};

struct desk {
    pthread_mutex_t lock; /* guards all */
    pthread_cond_t changed;
    struct arena arena; /* owns the copies */
    struct note notes[DESK_RECORDS_MAX];
    size_t note_count;
    size_t undelivered; /* commands reported so */
    struct uuid last_undelivered;
    bool up;
    size_t went_up, went_down;
    bool ours[PARTITIONS];
    size_t assigned, revoked; /* calls */
    useconds_t slowness_us;   /* how long the desk takes for a reply: pushes back */
};

void desk_open(struct desk *desk);
void desk_close(struct desk *desk);
void desk_callbacks(struct desk *desk, struct bus_callbacks *ret_callbacks);

/* The condition, checked under the lock after each callback; false: not within PATIENCE_MS. */
bool desk_await(struct desk *desk, bool (*is_so)(const struct desk *desk, size_t n), size_t n);
bool has_notes(const struct desk *desk, size_t n);
bool has_undelivered(const struct desk *desk, size_t n);
bool has_partitions(const struct desk *desk, size_t n); /* exactly n are ours */
bool is_up(const struct desk *desk, size_t unused);
bool is_down(const struct desk *desk, size_t unused);

/* A bus at this place whose callbacks go to the desk. `extra` may be NULL. */
struct bus *desk_bus(struct desk *desk, struct place *place, const char *extra);

/* ---- an independent reader: what others see in a topic ---- */

/*
 * Reads `count` records of all partitions from their beginning, in order of arrival, into `desk`.
 * False: not within PATIENCE_MS.
 */
bool read_topic(struct place *place, struct desk *desk, const char *topic, size_t count);
/* "" when the note has no such header. */
const char *note_header(struct desk *desk, const struct note *note, const char *name);

/* ---- commands ---- */

struct order {
    struct command command;
    struct bus_saga saga;
    struct step step;
    struct send send;
    char id_text[UUID_TEXT_SIZE];
};

/* A command of saga `number` to `topic`, ready to be changed and sent. */
void order_init(struct order *order, const char *topic, uint8_t number);

#endif
