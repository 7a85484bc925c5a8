#include "orchestrator/engine/flow/circuit.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct circuit *circuit)
{
    memset(circuit->good, 0, sizeof circuit->good);
    memset(circuit->bad, 0, sizeof circuit->bad);
}

static void turn(struct circuit *circuit, int64_t now_ms)
{
    const int64_t passed = (now_ms - circuit->slot_ms) / CIRCUIT_SLOT_MS;
    if (passed < 0 || passed >= CIRCUIT_SLOTS) {
        forget(circuit);
        circuit->slot_ms = now_ms;
        return;
    }
    for (int64_t i = 0; i < passed; i++) {
        memmove(circuit->good + 1, circuit->good, sizeof circuit->good - sizeof *circuit->good);
        memmove(circuit->bad + 1, circuit->bad, sizeof circuit->bad - sizeof *circuit->bad);
        circuit->good[0] = circuit->bad[0] = 0;
    }
    circuit->slot_ms += passed * CIRCUIT_SLOT_MS;
}

static void sum(const struct circuit *circuit, uint64_t *ret_all, uint64_t *ret_bad)
{
    *ret_all = *ret_bad = 0;
    for (int i = 0; i < CIRCUIT_SLOTS; i++) {
        *ret_all += (uint64_t)circuit->good[i] + circuit->bad[i];
        *ret_bad += circuit->bad[i];
    }
}

static void move_to(struct circuit *circuit, enum circuit_state state, int64_t now_ms)
{
    circuit->state = state;
    circuit->since_ms = now_ms;
    circuit->probes = circuit->proofs = 0;
    forget(circuit);
}

static void open_again(struct circuit *circuit, int64_t now_ms)
{
    circuit->wait_ms *= 2;
    if (circuit->wait_ms > CIRCUIT_WAIT_MAX_MS) circuit->wait_ms = CIRCUIT_WAIT_MAX_MS;
    move_to(circuit, CIRCUIT_OPEN, now_ms);
}

static void note_closed(struct circuit *circuit, int64_t now_ms)
{
    uint64_t all = 0;
    uint64_t bad = 0;
    sum(circuit, &all, &bad);
    if (all < CIRCUIT_LEAST || bad * 100 < all * CIRCUIT_BAD_PERCENT) return;
    circuit->wait_ms = CIRCUIT_WAIT_MS;
    move_to(circuit, CIRCUIT_OPEN, now_ms);
}

/* A late answer tells that somebody works there again. */
static void note_open(struct circuit *circuit, int64_t now_ms, uint32_t good)
{
    const int64_t waited_ms = now_ms - circuit->since_ms;
    if (waited_ms >= circuit->wait_ms || (good > 0 && waited_ms >= CIRCUIT_WAIT_LEAST_MS)) {
        move_to(circuit, CIRCUIT_HALF_OPEN, now_ms);
    }
}

/* Where no probe is answered at all, not even by its timeout, others are sent. */
static void note_half_open(struct circuit *circuit, int64_t now_ms, uint32_t good, uint32_t bad)
{
    circuit->proofs += good;
    if (bad > 0) {
        open_again(circuit, now_ms);
    } else if (circuit->proofs >= CIRCUIT_PROBES) {
        move_to(circuit, CIRCUIT_CLOSED, now_ms);
    } else if (now_ms - circuit->since_ms >= circuit->wait_ms) {
        move_to(circuit, CIRCUIT_HALF_OPEN, now_ms);
    }
}

void circuit_note(struct circuit *circuit, int64_t now_ms, uint32_t good, uint32_t bad)
{
    turn(circuit, now_ms);
    circuit->good[0] += good;
    circuit->bad[0] += bad;
    switch (circuit->state) {
    case CIRCUIT_CLOSED: note_closed(circuit, now_ms); return;
    case CIRCUIT_OPEN: note_open(circuit, now_ms, good); return;
    case CIRCUIT_HALF_OPEN: note_half_open(circuit, now_ms, good, bad); return;
    }
    abort();
}

/* A good answer makes room for another one. */
bool circuit_may_probe(struct circuit *circuit)
{
    if (circuit->state != CIRCUIT_HALF_OPEN) return false;
    if (circuit->probes >= CIRCUIT_PROBES + circuit->proofs) return false;
    circuit->probes++;
    return true;
}

int circuit_bad_percent(const struct circuit *circuit)
{
    uint64_t all = 0;
    uint64_t bad = 0;
    sum(circuit, &all, &bad);
    return all == 0 ? -1 : (int)(bad * 100 / all);
}

bool circuit_is_ill(const struct circuit *circuit)
{
    uint64_t all = 0;
    uint64_t bad = 0;
    sum(circuit, &all, &bad);
    return circuit->state != CIRCUIT_CLOSED ||
           (all >= CIRCUIT_ILL_LEAST && bad * 100 > all * CIRCUIT_ILL_PERCENT);
}

const char *circuit_state_name(enum circuit_state state)
{
    switch (state) {
    case CIRCUIT_CLOSED: return "closed";
    case CIRCUIT_OPEN: return "open";
    case CIRCUIT_HALF_OPEN: return "half_open";
    }
    abort();
}
