#include "api/why_topic.h"

#include "api/server.h"
#include "orchestrator/engine/topic_view.h"

#include <inttypes.h>
#include <string.h>

struct telling {
    struct buffer text;
    const struct saga *saga;
    const struct topic_view *topic;
    struct why *why;
};

static void say_what(struct telling *telling)
{
    struct buffer *const text = &telling->text;
    const struct why *const why = telling->why;
    buffer_add_text(text, why->op == OP_COMPENSATE ? "The undo of step "
                          : why->op == OP_PROBE    ? "The probe of step "
                                                   : "Step ");
    buffer_add_bytes(text, telling->saga->definition->steps[why->step].id);
    if (why->index != INDEX_NONE) buffer_add_format(text, "[%" PRId32 "]", why->index);
    buffer_add_text(text, " waits to be sent to ");
    buffer_add_bytes(text, telling->topic->name);
}

/* `"2026-..Z"` without its quotes. */
static void say_time(struct buffer *text, int64_t at_ms)
{
    struct buffer quoted = buffer_in(text->arena);
    json_write_time(&quoted, at_ms);
    buffer_add(text, quoted.data + 1, quoted.size - 2);
}

static void say_pause(struct telling *telling)
{
    struct buffer *const text = &telling->text;
    const struct topic_view *const topic = telling->topic;
    buffer_add_text(text, "was paused by ");
    buffer_add_bytes(text, topic->paused_by);
    buffer_add_text(text, " at ");
    say_time(text, topic->paused_at_ms);
    if (topic->paused_why.data != NULL) {
        buffer_add_text(text, " (");
        buffer_add_bytes(text, topic->paused_why);
        buffer_add_char(text, ')');
    }
}

static void tell_paused(struct telling *telling, bool sent)
{
    struct buffer *const text = &telling->text;
    struct why *const why = telling->why;
    if (sent) {
        buffer_add_bytes(text, why->sentence);
        buffer_add_text(text, " Its topic ");
        say_pause(telling);
        buffer_add_text(text, "; until it is resumed nothing is sent there and no time runs out.");
    } else {
        say_what(telling);
        buffer_add_text(text, ": the topic ");
        say_pause(telling);
        buffer_add_text(text, "; when it is resumed the command goes.");
    }
    why->kind = "operator";
    why->by = telling->topic->paused_by;
    why->since_ms = telling->topic->paused_at_ms;
}

static void tell_circuit(struct telling *telling, bool sent)
{
    struct buffer *const text = &telling->text;
    if (sent) {
        buffer_add_bytes(text, telling->why->sentence);
        buffer_add_text(text, " The circuit of its topic is ");
    } else {
        say_what(telling);
        buffer_add_text(text, ": the circuit of the topic is ");
    }
    const bool open = strcmp(telling->topic->circuit, "open") == 0;
    buffer_add_text(text, open ? "open since " : "half open since ");
    say_time(text, telling->topic->circuit_since_ms);
    buffer_add_text(text, ", because nearly all of its commands came to nothing; ");
    buffer_add_text(text,
                    open ? "in a while a few are sent to find out." : "a few are out to find out.");
    telling->why->by = BYTES("circuit");
}

static void tell_turn(struct telling *telling)
{
    struct buffer *const text = &telling->text;
    say_what(telling);
    buffer_add_format(text,
                      ": %" PRIu32 " commands of the topic are out, its window is %" PRIu32
                      ", and undo goes before what is in flight before what is new.",
                      telling->topic->outstanding, telling->topic->window);
    telling->why->by = BYTES("window");
}

void why_add_topic(struct exchange *exchange, const struct saga *saga, struct why *why)
{
    struct engine *const engine = exchange->api->engine;
    struct topic_view topic;
    const bool replies = strcmp(why->kind, "reply") == 0;
    if (why->topic.data == NULL || (!replies && strcmp(why->kind, "retry") != 0)) return;
    if (!engine_topic(engine, why->topic, &exchange->arena, &topic)) return;
    const int64_t stands_since_ms = topic.paused ? topic.paused_at_ms : topic.circuit_since_ms;
    const bool stands = topic.paused || !topic.circuit_closed;
    const bool waits = engine_waits_for_topic(engine, why->topic, &saga->id);
    if (!stands && !waits) return;
    /* Another node may be the one that holds it. */
    const bool unsent = replies && (waits || why->command_sent_at_ms >= stands_since_ms);
    struct telling telling = {
        .text = buffer_in(&exchange->arena), .saga = saga, .topic = &topic, .why = why};
    if (topic.paused) {
        tell_paused(&telling, !unsent);
    } else if (!topic.circuit_closed) {
        tell_circuit(&telling, !unsent);
    } else {
        tell_turn(&telling);
    }
    why->sentence = buffer_bytes(&telling.text);
    why->deadline_at_ms = 0; /* no time runs */
    if (unsent) why->command_sent_at_ms = 0;
}
