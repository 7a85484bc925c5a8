/*
 * Sagas that wait for each other: lines as the database keeps them, written with the commit of
 * their sagas, and places that are given after it, unless a node dies before it tells the saga.
 */
#include "tests/simulation/world.h"

#include <string.h>

/* ---- the lines ---- */

/* The clock of the database, which all nodes agree on, gives the tickets. */
static void join(struct world *world, struct saga_row *row, const struct saga *saga)
{
    row->line = (struct place_in_line){
        .is_in = true,
        .waits = true,
        .ticket = ++world->tickets,
        .places = saga->definition->concurrency->limit,
        .key = saga->lock_key.size > 0 ? bytes_copy(&world->arena, saga->lock_key) : BYTES(""),
    };
    counters[COUNT_IN_LINE]++;
}

static bool is_same_line(const struct saga_row *a, const struct saga_row *b)
{
    return a->line.is_in && b->line.is_in && bytes_equal(a->line.key, b->line.key);
}

static uint32_t places_taken(const struct world *world, const struct saga_row *one)
{
    uint32_t taken = 0;
    for (int i = 0; i < world->saga_count; i++) {
        const struct saga_row *const row = &world->row[i];
        if (is_same_line(row, one) && !row->line.waits) taken++;
    }
    return taken;
}

static int first_in_line(const struct world *world, const struct saga_row *one)
{
    int first = -1;
    for (int i = 0; i < world->saga_count; i++) {
        const struct saga_row *const row = &world->row[i];
        if (!is_same_line(row, one) || !row->line.waits) continue;
        if (first < 0 || row->line.ticket < world->row[first].line.ticket) first = i;
    }
    return first;
}

/* Who is open needs a place, and there are no more than the largest of their definitions says. */
static void check_places(struct world *world, const struct saga_row *one)
{
    uint32_t open = 0;
    uint32_t most = 0;
    for (int i = 0; i < world->saga_count; i++) {
        const struct saga_row *const row = &world->row[i];
        if (!is_same_line(row, one) || row->state == SAGA_PENDING) continue;
        if (row->line.waits) violate(world, "locks", "saga %d did not wait for its turn", i);
        open++;
        if (row->line.places > most) most = row->line.places;
    }
    if (open > most) violate(world, "locks", "%u sagas are open where %u may be", open, most);
}

bool lines_change(struct world *world, int number, const struct saga *saga)
{
    struct saga_row *const row = &world->row[number];
    const bool leaves = row->line.is_in && saga->lock == LOCK_NONE;
    const bool joins = !row->line.is_in && saga->lock == LOCK_AWAITED;
    if (leaves && !saga_is_finished(saga->state)) {
        violate(world, "locks", "saga %d is open and has forgotten its lock", number);
    }
    if (saga->lock == LOCK_HELD) {
        if (!row->line.is_in || row->line.waits) {
            violate(world, "locks", "saga %d holds a lock that nobody gave it", number);
        }
        row->line.told = true;
    }
    if (leaves && row->line.waits) counters[COUNT_LINES_LEFT]++;
    if (leaves) row->line.is_in = false; /* the key stays, to settle the line by */
    if (joins) join(world, row, saga);
    if (row->line.is_in) check_places(world, row);
    return leaves || joins;
}

/* ---- whose turn it is ---- */

static void send_turn(struct world *world, int node, int saga)
{
    schedule(
        world, (int64_t)below(world, 30),
        (struct happening){
            .kind = HAPPENS_TURN, .node = node, .record = {.saga = saga, .index = INDEX_NONE}
    });
}

void lines_settle(struct world *world, int node, struct bytes key)
{
    const struct saga_row one = {
        .line = {.is_in = true, .key = key}
    };
    for (;;) {
        const int first = first_in_line(world, &one);
        if (first < 0) return;
        const uint32_t more = world->mutant == MUTANT_CROWDS ? 1 : 0;
        if (places_taken(world, &one) >= world->row[first].line.places + more) return;
        world->row[first].line.waits = false;
        trace(world, "node %d: it is the turn of saga %d", node, first);
        send_turn(world, node, first);
    }
}

void lines_tell(struct world *world, const struct happening *happening)
{
    const int saga = happening->record.saga;
    if (!world->node[happening->node].up) return;
    node_handles(world, happening->node, saga,
                 &(struct event){.kind = EVENT_GRANTED, .step = -1, .index = INDEX_NONE}, NULL);
}

/* Those whose node died before it gave their place, or before it told them. */
void lines_sweep(struct world *world, int node)
{
    if (world->mutant == MUTANT_LOST_TURN) return;
    for (int i = 0; i < world->saga_count; i++) {
        const struct saga_row *const row = &world->row[i];
        if (!row->line.is_in || row->line.told) continue;
        if (row->line.waits) {
            lines_settle(world, node, row->line.key);
        } else {
            counters[COUNT_TURNS_FOUND]++;
            send_turn(world, node, i);
        }
    }
}

bool waits_for_another(const struct world *world, const struct saga_row *row)
{
    if (!row->line.is_in || !row->line.waits) return false;
    const struct saga_row *const first = &world->row[first_in_line(world, row)];
    return places_taken(world, row) >= first->line.places;
}
