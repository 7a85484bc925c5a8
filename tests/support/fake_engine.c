#include "tests/support/fake_engine.h"

#include "orchestrator/base/clock.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SAGAS_MAX = 5000, DEFINITIONS_MAX = 16 };

struct kept {
    struct arena arena;
    struct saga *saga;
    struct bytes key; /* Idempotency-Key; absent: none */
    uint8_t fingerprint[FINGERPRINT_SIZE];
};

struct engine {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t wake;
    pthread_t thread[FAKE_ENGINE_THREADS];
    struct request *first, **last;
    size_t waiting;
    bool holds, ends;
    enum request_result says;
    struct kept *sagas;
    size_t count;
    engine_changed *changed;
    void *changed_context;
};

/* ---- carrying out, with the lock held ---- */

static struct kept *find_saga(struct engine *engine, const struct uuid *id)
{
    for (size_t i = 0; i < engine->count; i++) {
        if (uuid_equal(&engine->sagas[i].saga->id, id)) return &engine->sagas[i];
    }
    return NULL;
}

static struct kept *find_key(struct engine *engine, struct bytes key)
{
    for (size_t i = 0; i < engine->count && key.data != NULL; i++) {
        if (bytes_equal(engine->sagas[i].key, key)) return &engine->sagas[i];
    }
    return NULL;
}

static void decide(struct saga *saga, const struct event *event, struct answer *answer)
{
    static _Thread_local struct arena arena;
    static _Thread_local struct decision decision;
    uint64_t random = 1;
    arena_reset(&arena);
    struct decide_context context = {.now_ms = clock_wall_ms(), .random = &random, .arena = &arena};
    saga_decide(saga, event, &context, &decision);
    answer->verdict = decision.verdict;
    answer->why = decision.why;
    arena_done(&arena);
}

static void start(struct engine *engine, const struct request *request, struct answer *answer)
{
    const struct start_request *const wanted = &request->start;
    uint8_t noise[10];
    assert(engine->count < SAGAS_MAX);
    struct kept *const kept = &engine->sagas[engine->count++];
    randombytes_buf(noise, sizeof(noise));
    kept->saga = saga_new(&kept->arena, wanted->definition);
    kept->saga->id = wanted->has_id ? wanted->id : uuid_v7(clock_wall_ms(), noise);
    kept->saga->input = bytes_copy(&kept->arena, wanted->input);
    kept->saga->labels = bytes_copy(&kept->arena, wanted->labels);
    kept->saga->attributes = BYTES("{}");
    kept->saga->created_at_ms = clock_wall_ms();
    kept->key = bytes_copy(&kept->arena, request->key.key);
    memcpy(kept->fingerprint, request->key.fingerprint, FINGERPRINT_SIZE);
    const struct event event = {.kind = EVENT_START, .step = -1, .index = INDEX_NONE};
    decide(kept->saga, &event, answer);
    answer->saga = kept->saga;
}

static void command(struct engine *engine, const struct request *request, struct answer *answer)
{
    struct kept *const kept = find_saga(engine, &request->command.saga_id);
    answer->result = RESULT_NOT_FOUND;
    if (kept == NULL) return;
    decide(kept->saga, &request->command.event, answer);
    answer->saga = kept->saga;
    answer->result = answer->verdict == VERDICT_APPLIED ? RESULT_DONE : RESULT_NOT_ALLOWED;
}

static struct answer carry_out(struct engine *engine, const struct request *request)
{
    struct answer answer = {.result = engine->says, .why = "the test says so"};
    struct kept *const known = find_key(engine, request->key.key);
    if (engine->says != RESULT_DONE) return answer;
    if (known != NULL) {
        const bool same =
            memcmp(known->fingerprint, request->key.fingerprint, FINGERPRINT_SIZE) == 0;
        answer.result = same ? RESULT_REPLAYED : RESULT_OTHER_BODY;
        answer.saga = known->saga;
        return answer;
    }
    if (request->kind == REQUEST_START) start(engine, request, &answer);
    if (request->kind == REQUEST_COMMAND) command(engine, request, &answer);
    return answer;
}

static void *answer_for_ever(void *of)
{
    struct engine *const engine = of;
    (void)pthread_mutex_lock(&engine->lock);
    while (!engine->ends || engine->first != NULL) {
        struct request *const request = engine->first;
        if (request == NULL || (engine->holds && !engine->ends)) {
            (void)pthread_cond_wait(&engine->wake, &engine->lock);
            continue;
        }
        engine->first = request->next;
        if (engine->first == NULL) engine->last = &engine->first;
        engine->waiting--;
        const struct answer answer = carry_out(engine, request);
        engine_changed *const changed = engine->changed;
        void *const context = engine->changed_context;
        /* As the real one: several at once, and what is told may submit again. */
        (void)pthread_mutex_unlock(&engine->lock);
        request->done(request, &answer);
        if (changed != NULL && answer.saga != NULL) {
            changed(context, &answer.saga->id, answer.saga->revision, answer.saga->state);
        }
        (void)pthread_mutex_lock(&engine->lock);
    }
    (void)pthread_mutex_unlock(&engine->lock);
    return NULL;
}

/* ---- engine.h ---- */

void engine_submit(struct engine *engine, struct request *request)
{
    (void)pthread_mutex_lock(&engine->lock);
    request->next = NULL;
    *engine->last = request;
    engine->last = &request->next;
    engine->waiting++;
    (void)pthread_cond_signal(&engine->wake);
    (void)pthread_mutex_unlock(&engine->lock);
}

void engine_submit_many(struct engine *engine, struct request **requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        engine_submit(engine, requests[i]);
    }
}

void engine_on_changed(struct engine *engine, engine_changed *changed, void *context)
{
    (void)pthread_mutex_lock(&engine->lock);
    engine->changed = changed;
    engine->changed_context = context;
    (void)pthread_mutex_unlock(&engine->lock);
}

void engine_health(struct engine *engine, struct engine_health *ret_health)
{
    (void)engine;
    *ret_health = (struct engine_health){.database_up = true, .broker_up = true};
}

bool engine_keeps_events(const struct engine *engine)
{
    (void)engine;
    return false;
}

void engine_release(struct engine *engine)
{
    (void)engine;
}

bool engine_letter_record(const struct dead_letter_row *row, struct arena *arena,
                          struct bus_record *ret_record)
{
    (void)row;
    (void)arena;
    *ret_record = (struct bus_record){0};
    return true;
}

bool engine_replay_record(struct engine *engine, const struct bus_record *record)
{
    (void)engine;
    (void)record;
    return true;
}

/* ---- for tests ---- */

struct engine *fake_engine_new(void)
{
    struct engine *const engine = calloc(1, sizeof(*engine));
    if (engine == NULL) abort();
    engine->sagas = calloc(SAGAS_MAX, sizeof(*engine->sagas));
    if (engine->sagas == NULL) abort();
    engine->last = &engine->first;
    (void)pthread_mutex_init(&engine->lock, NULL);
    (void)pthread_cond_init(&engine->wake, NULL);
    for (size_t i = 0; i < FAKE_ENGINE_THREADS; i++) {
        if (pthread_create(&engine->thread[i], NULL, answer_for_ever, engine) != 0) abort();
    }
    return engine;
}

void fake_engine_stop(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->lock);
    engine->ends = true;
    (void)pthread_cond_broadcast(&engine->wake);
    (void)pthread_mutex_unlock(&engine->lock);
    for (size_t i = 0; i < FAKE_ENGINE_THREADS; i++) {
        (void)pthread_join(engine->thread[i], NULL);
    }
}

void fake_engine_free(struct engine *engine)
{
    for (size_t i = 0; i < engine->count; i++) {
        arena_done(&engine->sagas[i].arena);
    }
    (void)pthread_cond_destroy(&engine->wake);
    (void)pthread_mutex_destroy(&engine->lock);
    free(engine->sagas);
    free(engine);
}

void fake_engine_say(struct engine *engine, enum request_result result)
{
    (void)pthread_mutex_lock(&engine->lock);
    engine->says = result;
    (void)pthread_mutex_unlock(&engine->lock);
}

static void set_holds(struct engine *engine, bool holds)
{
    (void)pthread_mutex_lock(&engine->lock);
    engine->holds = holds;
    (void)pthread_cond_broadcast(&engine->wake);
    (void)pthread_mutex_unlock(&engine->lock);
}

void fake_engine_hold(struct engine *engine)
{
    set_holds(engine, true);
}

void fake_engine_release(struct engine *engine)
{
    set_holds(engine, false);
}

size_t fake_engine_waiting(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->lock);
    const size_t waiting = engine->waiting;
    (void)pthread_mutex_unlock(&engine->lock);
    return waiting;
}

size_t fake_engine_started(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->lock);
    const size_t count = engine->count;
    (void)pthread_mutex_unlock(&engine->lock);
    return count;
}

/* ---- registry.h: what was registered here, and nothing else ---- */

struct registry {
    struct definition_rules rules;
    struct definition *definition[DEFINITIONS_MAX];
    size_t count;
};

static void hash_content(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    (void)crypto_generichash(ret_hash, DEFINITION_HASH_SIZE, data, size, NULL, 0);
}

struct registry *registry_new(const struct definition_rules *rules)
{
    struct registry *const registry = calloc(1, sizeof(*registry));
    if (registry == NULL) abort();
    registry->rules = *rules;
    return registry;
}

void registry_free(struct registry *registry)
{
    for (size_t i = 0; i < registry->count; i++) {
        definition_free(registry->definition[i]);
    }
    free(registry);
}

bool registry_register(struct registry *registry, struct store *store, struct bytes source,
                       struct arena *arena, struct definition_report *ret_report,
                       struct registered *ret_registered, bool *ret_new, struct err *err)
{
    (void)store;
    struct definition *const made =
        definition_parse(source, &registry->rules, hash_content, arena, ret_report);
    if (made == NULL) return err_set(err, ERR_INVALID, "the definition has errors");
    assert(registry->count < DEFINITIONS_MAX);
    registry->definition[registry->count++] = made;
    made->version = 1;
    made->stored_id = (int64_t)registry->count;
    *ret_registered = (struct registered){.definition = made};
    *ret_new = true;
    return true;
}

bool registry_by_name(struct registry *registry, struct store *store, struct bytes name,
                      uint32_t version, struct registered *ret_registered, struct err *err)
{
    (void)store;
    (void)version;
    for (size_t i = 0; i < registry->count; i++) {
        if (!bytes_equal(registry->definition[i]->name, name)) continue;
        *ret_registered = (struct registered){.definition = registry->definition[i]};
        return true;
    }
    return err_set(err, ERR_NOT_FOUND, "no such definition");
}

bool registry_by_id(struct registry *registry, struct store *store, int64_t id,
                    const struct definition **ret_definition, struct err *err)
{
    (void)store;
    if (id < 1 || (size_t)id > registry->count) {
        return err_set(err, ERR_NOT_FOUND, "no such definition");
    }
    *ret_definition = registry->definition[id - 1];
    return true;
}

bool registry_inline(struct registry *registry, struct store *store, struct bytes source,
                     struct arena *arena, struct definition_report *ret_report,
                     const struct definition **ret_definition, struct err *err)
{
    struct registered registered = {0};
    bool is_new = false;
    if (!registry_register(registry, store, source, arena, ret_report, &registered, &is_new, err)) {
        return false;
    }
    *ret_definition = registered.definition;
    return true;
}

void registry_validate(struct registry *registry, struct bytes source, struct arena *arena,
                       struct definition_report *ret_report, bool *ret_valid)
{
    struct definition *const made =
        definition_parse(source, &registry->rules, hash_content, arena, ret_report);
    *ret_valid = made != NULL;
    definition_free(made);
}

void registry_refresh(struct registry *registry, struct bytes name)
{
    (void)registry;
    (void)name;
}
