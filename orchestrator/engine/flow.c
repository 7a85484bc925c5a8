#include "orchestrator/engine/flow.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"

#include <string.h>

enum {
    ROUND_MS = 100,
    RELEASE_MAX = 500,  /* of a topic at a time */
    UNKNOWN_FOR_S = 60, /* how long what is not answered counts as out where nothing is answered */
    OUT_LEAST_S = 3,
    OUT_TIMES = 8, /* the usual latency: what takes longer is answered elsewhere, or not at all */
    SILENCES_LEAST = 3, /* attempts in vain before nobody seems to be there */
    START_PERCENT = 80, /* of the window are for new sagas, ... */
    IN_FLIGHT_PERCENT = 90,
};

/* ---- what is out ---- */

static struct topic_second *second_of(struct topic *topic, int64_t at_ms)
{
    return &topic->seconds[(uint64_t)(at_ms / 1000) % TOPIC_SECONDS];
}

/* The place of that second, made its own where it still belongs to one of a minute ago. */
static struct topic_second *second_for(struct topic *topic, int64_t at_ms)
{
    struct topic_second *place = second_of(topic, at_ms);
    long long of = atomic_load_explicit(&place->second, memory_order_relaxed);
    if (of != at_ms / 1000 && atomic_compare_exchange_strong(&place->second, &of, at_ms / 1000)) {
        atomic_store_explicit(&place->sent, 0, memory_order_relaxed);
        atomic_store_explicit(&place->done, 0, memory_order_relaxed);
    }
    return place;
}

void flow_count_sent(struct topic *topic, int64_t sent_at_ms, bool first)
{
    atomic_fetch_add_explicit(&second_for(topic, sent_at_ms)->sent, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&topic->outstanding, 1, memory_order_relaxed);
    if (first) atomic_fetch_add_explicit(&topic->firsts, 1, memory_order_relaxed);
}

static void count_done(struct topic *topic, int64_t sent_at_ms)
{
    struct topic_second *place = second_of(topic, sent_at_ms);
    if (atomic_load_explicit(&place->second, memory_order_relaxed) != sent_at_ms / 1000) return;
    atomic_fetch_add_explicit(&place->done, 1, memory_order_relaxed);
    unsigned out = atomic_load_explicit(&topic->outstanding, memory_order_relaxed);
    while (out > 0 &&
           !atomic_compare_exchange_weak_explicit(&topic->outstanding, &out, out - 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void flow_take_back(struct topic *topic, int64_t sent_at_ms)
{
    count_done(topic, sent_at_ms);
}

void flow_note_answer(struct topic *topic, enum answer_kind kind, int64_t sent_at_ms,
                      int64_t now_ms, int64_t timeout_ms)
{
    count_done(topic, sent_at_ms);
    if (kind == ANSWER_NONE) {
        atomic_fetch_add_explicit(&topic->silences, 1, memory_order_relaxed);
    } else {
        atomic_store_explicit(&topic->last_reply_at_ms, now_ms, memory_order_relaxed);
    }
    if (kind != ANSWER_GOOD) {
        atomic_fetch_add_explicit(&topic->bad, 1, memory_order_relaxed);
        return;
    }
    const int64_t latency_ms = now_ms > sent_at_ms ? now_ms - sent_at_ms : 0;
    atomic_fetch_add_explicit(&topic->good, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&topic->latency_ms, (unsigned long long)latency_ms,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&topic->timeout_ms, (unsigned long long)timeout_ms,
                              memory_order_relaxed);
}

/* ---- may it leave? ---- */

static unsigned share_of(unsigned limit, enum line line)
{
    if (line <= LINE_UNDO_RETRY) return limit;
    const unsigned percent = line <= LINE_IN_FLIGHT_RETRY ? IN_FLIGHT_PERCENT : START_PERCENT;
    const unsigned share = (unsigned)((uint64_t)limit * percent / 100);
    return share == 0 ? 1 : share;
}

static unsigned out_of(struct topic *topic)
{
    return atomic_load_explicit(&topic->outstanding, memory_order_relaxed) +
           atomic_load_explicit(&topic->taken, memory_order_relaxed);
}

bool flow_is_free(struct topic *topic)
{
    const unsigned limit = atomic_load_explicit(&topic->limit, memory_order_relaxed);
    return atomic_load_explicit(&topic->clear, memory_order_acquire) &&
           out_of(topic) < share_of(limit, LINE_START);
}

bool flow_is_unread(struct topic *topic)
{
    pthread_mutex_lock(&topic->lock);
    const bool known = topic->participants >= 0;
    const bool unread = topic->unread;
    pthread_mutex_unlock(&topic->lock);
    if (known) return unread;
    return atomic_load(&topic->last_reply_at_ms) == 0 &&
           atomic_load(&topic->silences) >= SILENCES_LEAST;
}

bool flow_stands(struct topic *topic)
{
    return atomic_load(&topic->paused) || atomic_load(&topic->circuit) != CIRCUIT_CLOSED;
}

static bool is_retry(enum line line)
{
    return line % 2 == 1;
}

static bool is_rationed(struct topic *topic, const struct departure *departure)
{
    if (!is_retry(departure->line) || departure->urged) return false;
    pthread_mutex_lock(&topic->lock);
    const bool refused = topic->ill && !retry_budget_take(&topic->budget);
    pthread_mutex_unlock(&topic->lock);
    return refused;
}

bool flow_may_leave(struct engine *engine, const struct departure *departure)
{
    struct topic *topic = departure->topic;
    const enum circuit_state circuit = (enum circuit_state)atomic_load(&topic->circuit);
    if (atomic_load(&topic->paused) || circuit == CIRCUIT_OPEN) return false;
    if (!departure->granted) {
        const unsigned share = share_of(atomic_load(&topic->limit), departure->line);
        if (circuit == CIRCUIT_HALF_OPEN) return false;
        if (out_of(topic) >= share) {
            atomic_store(&topic->crowded, true);
            return false;
        }
        if (waiting_up_to(engine->waiting, topic->number, departure->line) > 0) return false;
        if (is_rationed(topic, departure)) return false;
    }
    flow_count_sent(topic, departure->sent_at_ms, departure->first);
    return true;
}

void flow_hold(struct engine *engine, struct topic *topic, const struct uuid *id, enum line line)
{
    waiting_add(engine->waiting, topic->number, id, line);
    atomic_store(&topic->clear, false);
}

size_t flow_waiting(struct engine *engine)
{
    return waiting_count(engine->waiting);
}

/* ---- letting go ---- */

/* The topic's lock is held. */
static bool may_take(struct topic *topic, enum line line)
{
    if (atomic_load(&topic->paused)) return false;
    switch (topic->circuit_rules.state) {
    case CIRCUIT_OPEN: return false;
    case CIRCUIT_HALF_OPEN: return circuit_may_probe(&topic->circuit_rules);
    case CIRCUIT_CLOSED: break;
    }
    if (out_of(topic) >= share_of(topic->window.limit, line)) return false;
    return !is_retry(line) || !topic->ill || retry_budget_take(&topic->budget);
}

static void let_go(struct engine *engine, struct topic *topic, const struct uuid *id)
{
    struct work *work = work_new(WORK_RESEND, id);
    work->topic = topic;
    atomic_fetch_add(&topic->taken, 1);
    (void)worker_give(worker_of(engine, id), work);
}

static void release_from(struct engine *engine, struct topic *topic)
{
    size_t left = RELEASE_MAX;
    pthread_mutex_lock(&topic->lock);
    for (int line = 0; line < LINE_COUNT && left > 0; line++) {
        struct uuid id;
        while (left > 0 && waiting_up_to(engine->waiting, topic->number, (enum line)line) > 0 &&
               may_take(topic, (enum line)line) &&
               waiting_take(engine->waiting, topic->number, (enum line)line, &id)) {
            let_go(engine, topic, &id);
            left--;
        }
    }
    pthread_mutex_unlock(&topic->lock);
}

void flow_release(struct engine *engine)
{
    if (flow_waiting(engine) == 0) return;
    for (size_t i = 0; i < topics_count(engine->topics); i++) {
        struct topic *topic = topics_at(engine->topics, i);
        if (!atomic_load(&topic->clear)) release_from(engine, topic);
    }
}

/* ---- looking at the controllers, from time to time ---- */

/* What is not answered after so many seconds is not waited for: another node has its reply. */
static int64_t patience_s(const struct topic *topic)
{
    if (topic->slowest_ms == 0) return UNKNOWN_FOR_S;
    const int64_t seconds = topic->slowest_ms * OUT_TIMES / 1000 + OUT_LEAST_S;
    return seconds < UNKNOWN_FOR_S ? seconds : UNKNOWN_FOR_S;
}

static unsigned count_out(struct topic *topic, int64_t now_ms)
{
    const int64_t now_s = now_ms / 1000;
    const int64_t patience = patience_s(topic);
    unsigned out = 0;
    for (size_t i = 0; i < TOPIC_SECONDS; i++) {
        struct topic_second *place = &topic->seconds[i];
        const int64_t second = atomic_load(&place->second);
        const unsigned sent = atomic_load(&place->sent);
        const unsigned done = atomic_load(&place->done);
        if (second > now_s - patience && second <= now_s + 1 && sent > done) out += sent - done;
    }
    return out;
}

static void note_latency(struct topic *topic, const struct window_sample *sample, int64_t passed_ms)
{
    if (sample->latency_ms > topic->slowest_ms) {
        topic->slowest_ms = sample->latency_ms;
    } else if (sample->good > 0) {
        topic->slowest_ms -= (topic->slowest_ms - sample->latency_ms) / 64;
    }
    if (passed_ms <= 0) return;
    const int64_t per_s = (int64_t)sample->good * 1000 / passed_ms;
    topic->read_per_s += (per_s - topic->read_per_s) / 8;
}

static void tell_circuit(struct topic *topic, enum circuit_state before)
{
    const struct circuit *circuit = &topic->circuit_rules;
    if (circuit->state == before) return;
    const bool bad = circuit->state == CIRCUIT_OPEN;
    log_event(bad ? LOG_WARNING : LOG_INFO, "topic_circuit", "topic=%s circuit=%s wait_ms=%lld",
              topic->name, circuit_state_name(circuit->state), (long long)circuit->wait_ms);
}

static void note_circuit(struct topic *topic, const struct window_sample *sample)
{
    struct circuit *circuit = &topic->circuit_rules;
    const enum circuit_state before = circuit->state;
    circuit_note(circuit, sample->now_ms, sample->good, sample->bad);
    topic->ill = circuit_is_ill(circuit);
    if (circuit->since_ms == sample->now_ms && before != CIRCUIT_CLOSED &&
        circuit->state == CIRCUIT_CLOSED) {
        window_restart(&topic->window);
    }
    if (circuit->state != before) atomic_store(&topic->circuit_since_ms, clock_wall_ms());
    tell_circuit(topic, before);
}

static void publish(struct engine *engine, struct topic *topic)
{
    const bool stands = atomic_load(&topic->paused) || topic->circuit_rules.state != CIRCUIT_CLOSED;
    atomic_store(&topic->limit, topic->window.limit);
    atomic_store(&topic->circuit, (int)topic->circuit_rules.state);
    atomic_store(&topic->clear,
                 !stands && !topic->ill &&
                     waiting_up_to(engine->waiting, topic->number, LINE_START_RETRY) == 0);
}

static void look_at(struct engine *engine, struct topic *topic)
{
    const int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&topic->lock);
    unsigned before = atomic_load(&topic->outstanding);
    const unsigned out = count_out(topic, clock_wall_ms());
    const unsigned good = atomic_exchange(&topic->good, 0);
    const unsigned long long latency_ms = atomic_exchange(&topic->latency_ms, 0);
    const unsigned long long timeout_ms = atomic_exchange(&topic->timeout_ms, 0);
    const struct window_sample sample = {
        .now_ms = now_ms,
        .good = good,
        .bad = atomic_exchange(&topic->bad, 0),
        .latency_ms = good == 0 ? 0 : (int64_t)(latency_ms / good),
        .timeout_ms = good == 0 ? 0 : (int64_t)(timeout_ms / good),
        .outstanding = out,
        .waiting = atomic_exchange(&topic->crowded, false),
        .lag = topic->lag,
        .read_per_s = topic->read_per_s,
    };
    note_latency(topic, &sample, topic->noted_at_ms == 0 ? 0 : now_ms - topic->noted_at_ms);
    topic->noted_at_ms = now_ms;
    /* What was sent or answered since is not forgotten: then it is for the next look. */
    (void)atomic_compare_exchange_strong(&topic->outstanding, &before, out);
    note_circuit(topic, &sample);
    retry_budget_note(&topic->budget, now_ms, atomic_exchange(&topic->firsts, 0));
    window_note(&topic->window, &sample);
    publish(engine, topic);
    pthread_mutex_unlock(&topic->lock);
}

void *flow_main(void *context)
{
    struct engine *engine = context;
    do {
        for (size_t i = 0; i < topics_count(engine->topics); i++) {
            look_at(engine, topics_at(engine->topics, i));
        }
        flow_release(engine);
    } while (house_rest(engine, ROUND_MS));
    return NULL;
}
