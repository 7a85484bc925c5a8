/* Records on their way: late, out of order, twice, or never. */
#include "tests/simulation/world.h"

static int64_t some_delay(struct world *world)
{
    if (fault(world, 60)) return (int64_t)below(world, 6000);
    return (int64_t)below(world, 30);
}

static void carry(struct world *world, enum happening_kind kind, const struct record *record,
                  int64_t in_ms, enum counter lost, enum counter twice)
{
    if (fault(world, 40)) {
        counters[lost]++;
        return;
    }
    schedule(world, in_ms + some_delay(world), (struct happening){.kind = kind, .record = *record});
    if (!fault(world, 40)) return;
    counters[twice]++;
    schedule(world, in_ms + some_delay(world), (struct happening){.kind = kind, .record = *record});
}

void transport_sends(struct world *world, int saga, const struct decision *decision)
{
    if (world->stands && decision->command_count > 0) {
        counters[COUNT_TOPIC_WAITS] += decision->command_count;
        world->row[saga].held = true;
        return;
    }
    for (size_t i = 0; i < decision->command_count; i++) {
        const struct command *const command = &decision->commands[i];
        const struct record record = {
            .saga = saga,
            .step = command->step->position,
            .index = command->index,
            .op = command->op,
            .attempt = command->attempt,
        };
        counters[COUNT_COMMANDS]++;
        carry(world, HAPPENS_COMMAND, &record, 1, COUNT_COMMANDS_LOST, COUNT_COMMANDS_TWICE);
    }
}

void transport_replies(struct world *world, const struct record *reply, int64_t in_ms)
{
    carry(world, HAPPENS_REPLY, reply, in_ms, COUNT_REPLIES_LOST, COUNT_REPLIES_TWICE);
}
