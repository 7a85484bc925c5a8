/* Definitions and inputs at random: every feature, small policies. */
#include "tests/simulation/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 40, ID_SIZE = 2 };

static const char *const IDS[STEPS_MAX] = {"a", "b", "c", "d", "e", "f", "g"};

/* What is settled before the text is written. */
struct plan {
    struct version *version;
    size_t count;
    bool graph; /* explicit edges */
    int pivot;  /* -1: none */
    bool timeout;
    bool needs[STEPS_MAX][STEPS_MAX];
    bool foreach[STEPS_MAX];
    enum step_kind kind[STEPS_MAX];
    unsigned tries;
    unsigned limit; /* how many sagas may be open at once; 0: all */
};

static void plan_edges(struct world *world, struct plan *plan)
{
    memset(plan->version->above, 0, sizeof(plan->version->above));
    for (size_t i = 0; i < plan->count; i++) {
        for (size_t k = 0; k < i; k++) {
            plan->needs[i][k] = plan->graph ? chance(world, 40) : k + 1 == i;
        }
        for (size_t k = 0; k < i; k++) {
            if (!plan->needs[i][k]) continue;
            plan->version->above[i][k] = true;
            for (size_t j = 0; j < k; j++) {
                plan->version->above[i][j] |= plan->version->above[k][j];
            }
        }
    }
}

/* A step before `i` whose output is an object; -1: none. */
static int some_source(struct world *world, const struct plan *plan, size_t i)
{
    if (i == 0) return -1;
    const size_t start = below(world, i);
    for (size_t n = 0; n < i; n++) {
        const size_t k = (start + n) % i;
        if (plan->version->above[i][k] && !plan->foreach[k]) return (int)k;
    }
    return -1;
}

/* Past the pivot a refusal is tried again by policy: without a limit that would never end. */
static void add_policy(struct world *world, struct buffer *text, bool endless)
{
    static const char *const JITTERS[] = {"full", "equal", "none"};
    const uint64_t attempts = endless ? below(world, 5) : 1 + below(world, 4);
    buffer_add_format(text, "{\"max_attempts\":%u,\"initial\":\"%ums\",\"multiplier\":%u.5,",
                      (unsigned)attempts, 1 + (unsigned)below(world, 80),
                      1 + (unsigned)below(world, 2));
    buffer_add_format(text, "\"max\":\"%ums\",\"jitter\":\"%s\"", 100 + (unsigned)below(world, 300),
                      JITTERS[below(world, 3)]);
    if (chance(world, 25)) {
        buffer_add_format(text, ",\"max_elapsed\":\"%ums\"", 300 + (unsigned)below(world, 4000));
    }
    if (chance(world, 30)) buffer_add_text(text, ",\"never_on\":[\"hopeless\"]");
    buffer_add_char(text, '}');
}

static void add_input(struct world *world, const struct plan *plan, size_t i, struct buffer *text)
{
    const int source = some_source(world, plan, i);
    if (chance(world, 15)) return;
    buffer_add_text(text, ",\"input\":");
    if (chance(world, 2)) {
        buffer_add_text(text, "\"${1 / input.zero}\"");
    } else if (plan->foreach[i] && chance(world, 70)) {
        buffer_add_text(text, chance(world, 50) ? "\"${item}\""
                                                : "{\"i\":\"${index}\",\"it\":\"${item}\"}");
    } else if (source >= 0 && chance(world, 60)) {
        buffer_add_format(text, "\"${steps.%s.output}\"", IDS[source]);
    } else {
        buffer_add_text(text, "\"${input}\"");
    }
}

static void add_send(struct world *world, const struct plan *plan, size_t i, struct buffer *text,
                     enum op op)
{
    buffer_add_format(text, "{\"topic\":\"t\",\"timeout\":\"%ums\"",
                      150 + (unsigned)below(world, 1500));
    if (op != OP_COMPENSATE) {
        add_input(world, plan, i, text);
        if (chance(world, 15)) {
            buffer_add_format(text, ",\"heartbeat\":\"%ums\"", 100 + (unsigned)below(world, 500));
        }
        if (chance(world, 12)) { /* a participant says up to 59.50 */
            buffer_add_text(text, ",\"output_schema\":{\"properties\":{\"v\":{\"maximum\":45}}}");
        }
    } else {
        buffer_add_text(text, chance(world, 97) ? ",\"input\":\"${output}\""
                                                : ",\"input\":\"${1 / input.zero}\"");
        if (chance(world, 30)) buffer_add_text(text, ",\"on_exhausted\":\"continue\"");
    }
    if (chance(world, 6)) {
        buffer_add_text(text, chance(world, 80) ? ",\"key\":\"${input.n}\""
                                                : ",\"key\":\"${input.items}\"");
    }
    if (chance(world, 6)) buffer_add_text(text, ",\"headers\":{\"x-n\":\"${input.n}\"}");
    buffer_add_text(text, ",\"retry\":");
    add_policy(world, text, op == OP_COMPENSATE || plan->pivot < 0);
    buffer_add_char(text, '}');
}

static void add_condition(struct world *world, const struct plan *plan, size_t i,
                          struct buffer *text)
{
    const int source = some_source(world, plan, i);
    if (!chance(world, 15)) return;
    buffer_add_text(text, ",\"when\":");
    if (chance(world, 4)) {
        buffer_add_text(text, "\"${input.n}\"");
    } else if (source >= 0 && chance(world, 60)) {
        buffer_add_format(text, "\"${steps.%s.output.v > 30}\"", IDS[source]);
    } else {
        buffer_add_text(text, "\"${input.n > 2}\"");
    }
}

static void add_undo(struct world *world, const struct plan *plan, size_t i, struct buffer *text)
{
    const bool behind = plan->pivot >= 0 && plan->version->above[i][plan->pivot];
    const bool last = i + 1 == plan->count && !plan->graph;
    if (plan->kind[i] != STEP_ACTION && chance(world, 60)) return;
    if ((int)i == plan->pivot || behind || (last && chance(world, 40))) return;
    if (plan->tries < TRIES / 2 && chance(world, 3)) return;
    buffer_add_text(text, ",\"compensation\":");
    if (chance(world, 15)) {
        buffer_add_text(text, "null");
    } else {
        add_send(world, plan, i, text, OP_COMPENSATE);
    }
}

struct bytes signal_name(unsigned number)
{
    static const char *const NAMES[SIGNAL_NAMES + 1] = {"go", "halt", "nobody"};
    return bytes_of(NAMES[number]);
}

static void add_signal(struct world *world, struct buffer *text)
{
    buffer_add_format(text, ",\"signal\":{\"name\":\"%s\"",
                      signal_name((unsigned)below(world, SIGNAL_NAMES)).data);
    if (chance(world, 60)) {
        buffer_add_format(text, ",\"timeout\":\"%ums\"", 200 + (unsigned)below(world, 3000));
        if (chance(world, 50)) buffer_add_text(text, ",\"on_timeout\":\"continue\"");
    }
    buffer_add_char(text, '}');
}

static void add_delay(struct world *world, struct buffer *text)
{
    buffer_add_text(text, ",\"delay\":{");
    if (chance(world, 60)) {
        buffer_add_format(text, "\"for\":\"%ums\"}", 1 + (unsigned)below(world, 2000));
    } else if (chance(world, 50)) {
        buffer_add_text(text, "\"for\":\"${input.wait}\"}");
    } else {
        buffer_add_text(text, chance(world, 90) ? "\"until\":\"${input.at}\"}"
                                                : "\"until\":\"${input.n}\"}");
    }
}

static void add_unknown(struct world *world, const struct plan *plan, size_t i, struct buffer *text)
{
    const bool pauses = strstr(text->data, "\"pause\"") != NULL;
    if (chance(world, 15)) {
        buffer_add_text(text, ",\"on_unknown\":\"hold\"");
    } else if (chance(world, pauses ? 60 : 25)) {
        buffer_add_text(text, ",\"on_unknown\":\"probe\",\"probe\":");
        add_send(world, plan, i, text, OP_PROBE);
    }
}

static void add_kind(struct world *world, const struct plan *plan, size_t i, struct buffer *text)
{
    switch (plan->kind[i]) {
    case STEP_SIGNAL: add_signal(world, text); break;
    case STEP_DELAY: add_delay(world, text); break;
    case STEP_ACTION:
    case STEP_CHILD:
        buffer_add_text(text, ",\"action\":");
        add_send(world, plan, i, text, OP_ACTION);
        add_unknown(world, plan, i, text);
        break;
    }
}

/* Items are no numbers, most of them. */
static void add_effect(struct world *world, const struct plan *plan, size_t i, struct buffer *text)
{
    const bool of_item = plan->foreach[i] && chance(world, 50);
    buffer_add_format(text, ",\"effect\":{\"kind\":\"k\",\"amount\":\"%s\"%s}",
                      of_item             ? "${item}"
                      : chance(world, 90) ? "${input.n}"
                                          : "${1 / input.zero}",
                      chance(world, 50) ? ",\"currency\":\"EUR\"" : "");
}

static void add_step(struct world *world, const struct plan *plan, size_t i, struct buffer *text)
{
    buffer_add_format(text, "{\"id\":\"%s\"", IDS[i]);
    if (plan->graph) {
        const char *separator = "";
        buffer_add_text(text, ",\"depends_on\":[");
        for (size_t k = 0; k < i; k++) {
            if (!plan->needs[i][k]) continue;
            buffer_add_format(text, "%s\"%s\"", separator, IDS[k]);
            separator = ",";
        }
        buffer_add_char(text, ']');
    }
    if ((int)i == plan->pivot) buffer_add_text(text, ",\"pivot\":true");
    if (plan->foreach[i]) {
        buffer_add_format(text, ",\"foreach\":{\"in\":\"%s\",\"concurrency\":%u,\"max_items\":%u}",
                          chance(world, 97) ? "${input.items}" : "${input.n}",
                          1 + (unsigned)below(world, 3), chance(world, 90) ? 4U : 2U);
    }
    add_condition(world, plan, i, text);
    if (chance(world, 12) && (int)i != plan->pivot) {
        buffer_add_text(text, ",\"on_failure\":\"ignore\"");
    } else if (chance(world, 8)) {
        buffer_add_text(text, ",\"on_failure\":\"pause\"");
    }
    if (chance(world, 30)) add_effect(world, plan, i, text);
    add_kind(world, plan, i, text);
    add_undo(world, plan, i, text);
    buffer_add_char(text, '}');
}

static struct bytes write_definition(struct world *world, struct plan *plan)
{
    struct buffer text = buffer_in(&world->arena);
    buffer_add_text(&text, "{\"name\":\"simulated\"");
    if (plan->timeout) {
        buffer_add_format(&text, ",\"timeout\":\"%us\"", 5 + (unsigned)below(world, 20));
        if (chance(world, 30)) buffer_add_text(&text, ",\"on_timeout\":\"pause\"");
    }
    if (plan->limit > 0) {
        buffer_add_format(&text, ",\"concurrency\":{\"limit\":%u%s}", plan->limit,
                          world->seed % 20 != 0 ? ",\"key\":\"${input.n}\"" : "");
    }
    if (chance(world, 30)) {
        buffer_add_format(&text, ",\"output\":%s",
                          chance(world, 90) ? "{\"last\":\"${steps.a.output}\"}"
                                            : "\"${1 / input.zero}\"");
    }
    buffer_add_text(&text, ",\"steps\":[");
    for (size_t i = 0; i < plan->count; i++) {
        if (i > 0) buffer_add_char(&text, ',');
        add_step(world, plan, i, &text);
    }
    buffer_add_text(&text, "]}");
    return buffer_bytes(&text);
}

static void no_hash(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    (void)data;
    (void)size;
    memset(ret_hash, 0, DEFINITION_HASH_SIZE);
}

/* What the policies say, kept apart from what the core reads. */
static void keep_limits(const struct world *world, struct version *version)
{
    for (size_t i = 0; i < version->definition->step_count; i++) {
        const struct step *const step = &version->definition->steps[i];
        uint32_t *const most = version->max_attempts[i];
        most[OP_ACTION] = step->action.retry.max_attempts;
        most[OP_COMPENSATE] = step->compensation.retry.max_attempts;
        if (step->probe != NULL) most[OP_PROBE] = step->probe->retry.max_attempts;
        /* The planted bug: what the core allows is one more than what was meant. */
        if (world->mutant == MUTANT_ONE_MORE && most[OP_ACTION] > 1) most[OP_ACTION]--;
    }
}

void make_version(struct world *world, struct version *version)
{
    const struct definition_rules rules = {0};
    for (unsigned tries = 0; tries < TRIES && version->definition == NULL; tries++) {
        struct plan plan = {
            .version = version,
            .count = 1 + below(world, STEPS_MAX),
            .graph = chance(world, 50),
            .pivot = -1,
            .timeout = tries < TRIES / 4 && chance(world, 35),
            .tries = tries,
            .limit = world->seed % 5 == 0 ? 1 + (unsigned)(world->seed / 5 % 2) : 0,
        };
        if (chance(world, 35)) plan.pivot = (int)below(world, plan.count);
        for (size_t i = 0; i < plan.count; i++) {
            plan.foreach[i] = chance(world, 15);
            plan.kind[i] = chance(world, 82)   ? STEP_ACTION
                           : chance(world, 50) ? STEP_SIGNAL
                                               : STEP_DELAY;
        }
        plan_edges(world, &plan);
        const struct bytes text = write_definition(world, &plan);
        struct definition_report report;
        version->definition = definition_parse(text, &rules, no_hash, &world->arena, &report);
        if (version->definition != NULL) {
            trace(world, "definition %s", text.data);
        } else {
            trace(world, "refused: %s %s", report.errors[0].pointer.data,
                  report.errors[0].detail.data);
        }
    }
    if (version->definition == NULL) {
        (void)fprintf(stderr, "no definition was accepted\n");
        abort();
    }
    keep_limits(world, version);
}

/* The same with a step that may begin at once, where there is room for one and the rules take it.
 */
void make_next_version(struct world *world, const struct version *before, struct version *version)
{
    static const char TAIL[] =
        ",{\"id\":\"tail\",\"depends_on\":[],\"action\":{\"topic\":\"t\","
        "\"timeout\":\"500ms\",\"retry\":{\"max_attempts\":2,"
        "\"initial\":\"100ms\"}},\"compensation\":null}]}";
    const struct definition_rules rules = {0};
    const struct bytes source = before->definition->source;
    struct definition_report report;
    struct buffer longer = buffer_in(&world->arena);
    *version = *before;
    version->definition = NULL;
    buffer_add(&longer, source.data, source.size - 2);
    buffer_add_text(&longer, TAIL);
    if (before->definition->step_count < STEPS_MAX) {
        version->definition =
            definition_parse(buffer_bytes(&longer), &rules, no_hash, &world->arena, &report);
    }
    if (version->definition == NULL) {
        version->definition = definition_parse(source, &rules, no_hash, &world->arena, &report);
    }
    keep_limits(world, version);
}

struct bytes make_input(struct world *world)
{
    static const char *const ITEMS[] = {"1.50", "\"x\"", "{\"k\" : 7}", "[]"};
    struct buffer text = buffer_in(&world->arena);
    buffer_add_format(&text, "{\"n\":%u,\"zero\":%u", (unsigned)below(world, 6),
                      chance(world, 80) ? 1U : 0U);
    if (chance(world, 90)) {
        buffer_add_format(&text, ",\"wait\":\"%ums\"", (unsigned)below(world, 1500));
    }
    if (chance(world, 90)) {
        buffer_add_text(&text, ",\"at\":");
        json_write_time(&text, world->now_ms + (int64_t)below(world, 6000) - 1000);
    }
    if (chance(world, 90)) {
        const uint64_t count = below(world, ITEMS_MAX + 1);
        buffer_add_text(&text, ",\"items\":[");
        for (uint64_t i = 0; i < count; i++) {
            buffer_add_format(&text, "%s%s", i > 0 ? "," : "", ITEMS[below(world, 4)]);
        }
        buffer_add_char(&text, ']');
    }
    buffer_add_char(&text, '}');
    return buffer_bytes(&text);
}
