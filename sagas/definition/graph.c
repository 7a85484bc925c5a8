#include "sagas/definition/graph.h"

#include "sagas/definition/draft.h"
#include "sagas/definition/members.h"
#include "sagas/definition/near.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CYCLE_SHOWN_MAX = 6 };

static uint64_t *row_of(const struct graph *graph, size_t step)
{
    return &graph->above[step * graph->words];
}

static void add_edge(const struct graph *graph, size_t step, size_t other)
{
    row_of(graph, step)[other / 64] |= UINT64_C(1) << (other % 64);
}

static void doubt(struct graph *graph, size_t step)
{
    graph->unsure[step] = true;
    graph->sound = false;
}

/* ---- ids ---- */

struct named {
    struct bytes id;
    uint16_t position;
};

static int by_id(const void *left, const void *right)
{
    const struct named *a = left;
    const struct named *b = right;
    const int order = bytes_compare(a->id, b->id);
    return order != 0 ? order : (int)a->position - (int)b->position;
}

static void index_ids(struct draft *draft)
{
    struct named *names = arena_array(draft->scratch, draft->step_count, sizeof(*names));
    for (size_t i = 0; i < draft->step_count; i++) {
        names[i] = (struct named){draft->steps[i].id, (uint16_t)i};
    }
    qsort(names, draft->step_count, sizeof(*names), by_id);

    uint16_t *positions = arena_array(draft->arena, draft->step_count, sizeof(*positions));
    for (size_t i = 0; i < draft->step_count; i++) {
        positions[i] = names[i].position;
        if (i == 0 || names[i].id.size == 0 || !bytes_equal(names[i - 1].id, names[i].id)) continue;
        problems_error(&draft->problems, draft->step_drafts[names[i].position].id,
                       "`%s` is the id of another step too; ids are unique",
                       shown_text(names[i].id).text);
    }
    draft->definition->by_id = positions;
}

/* ---- edges ---- */

static const char *nearest_id(const struct draft *draft, struct bytes name)
{
    const char *nearest = NULL;
    size_t most = near_limit(name);
    for (size_t i = 0; i < draft->step_count; i++) {
        const size_t distance = near_distance(name, draft->steps[i].id, most);
        if (distance > most || (nearest != NULL && distance == most)) continue;
        nearest = draft->steps[i].id.data;
        most = distance;
    }
    return nearest;
}

static void report_unknown_step(struct draft *draft, const struct json_view *name)
{
    const char *nearest = problems_guess(&draft->problems) ? nearest_id(draft, name->string) : NULL;
    if (nearest != NULL) {
        problems_error(&draft->problems, name, "there is no step `%s`; did you mean `%s`?",
                       shown_text(name->string).text, nearest);
    } else {
        problems_error(&draft->problems, name,
                       "there is no step `%s`; name steps of this definition by their id",
                       shown_text(name->string).text);
    }
}

/* False when nobody can tell which step was meant. */
static bool read_edge(struct draft *draft, size_t step, const struct json_view *name)
{
    if (!expect_type(draft, name, VIEW_STRING, "the id of a step")) return false;
    const int other = definition_find_step(draft->definition, name->string);
    if (other < 0) {
        report_unknown_step(draft, name);
        return false;
    }
    if ((size_t)other == step) {
        problems_error(&draft->problems, name, "a step cannot wait for itself; leave it out");
    } else if (graph_is_above(&draft->graph, step, (size_t)other)) {
        problems_error(&draft->problems, name, "`%s` is named twice; once is enough",
                       shown_text(name->string).text);
    } else {
        add_edge(&draft->graph, step, (size_t)other);
    }
    return true;
}

static void read_edges(struct draft *draft, size_t step)
{
    const struct json_view *list = draft->step_drafts[step].depends_on;
    if (list == NULL) {
        if (step > 0) add_edge(&draft->graph, step, step - 1);
        return;
    }
    if (!expect_type(draft, list, VIEW_ARRAY, "a list of step ids (`[]`: start at once)")) {
        doubt(&draft->graph, step);
        return;
    }
    for (const struct json_view *name = list->child; name != NULL; name = name->next) {
        if (!read_edge(draft, step, name)) doubt(&draft->graph, step);
    }
}

/* While `above` holds direct edges only. */
static void fill_needs(struct draft *draft)
{
    const struct graph *graph = &draft->graph;
    for (size_t i = 0; i < graph->count; i++) {
        size_t count = 0;
        for (size_t w = 0; w < graph->words; w++) {
            count += (size_t)__builtin_popcountll(row_of(graph, i)[w]);
        }
        uint16_t *needs = arena_array(draft->arena, count + 1, sizeof(*needs));
        size_t filled = 0;
        for (size_t other = 0; filled < count; other++) {
            if (!graph_is_above(graph, i, other)) continue;
            needs[filled++] = (uint16_t)other;
            draft->steps[other].feed_count++;
        }
        draft->steps[i].needs = needs;
        draft->steps[i].need_count = (uint16_t)count;
    }
}

static void fill_feeds(struct draft *draft)
{
    const size_t count = draft->graph.count;
    uint16_t **feeds = arena_array(draft->scratch, count, sizeof(*feeds));
    for (size_t i = 0; i < count; i++) {
        struct step *step = &draft->steps[i];
        feeds[i] = arena_array(draft->arena, step->feed_count + 1U, sizeof(*feeds[i]));
        step->feeds = feeds[i];
    }
    for (size_t i = 0; i < count; i++) {
        const struct step *step = &draft->steps[i];
        for (size_t n = 0; n < step->need_count; n++) {
            *feeds[step->needs[n]]++ = (uint16_t)i;
        }
    }
}

/* ---- closure and cycles ---- */

static void add_row(const struct graph *graph, size_t step, size_t other)
{
    uint64_t *to = row_of(graph, step);
    const uint64_t *from = row_of(graph, other);
    for (size_t w = 0; w < graph->words; w++) {
        to[w] |= from[w];
    }
}

/* Warshall: whoever waits for `middle` waits for all that `middle` waits for. */
static void close_over(const struct graph *graph)
{
    for (size_t middle = 0; middle < graph->count; middle++) {
        for (size_t i = 0; i < graph->count; i++) {
            if (i != middle && graph_is_above(graph, i, middle)) add_row(graph, i, middle);
        }
    }
}

static bool same_cycle(const struct graph *graph, size_t a, size_t b)
{
    return graph_is_above(graph, a, b) && graph_is_above(graph, b, a);
}

/* For each step of the cycle of `start`, the next one on a shortest way back to `start`. */
static void ways_back(const struct draft *draft, size_t start, uint16_t *next)
{
    uint16_t queue[DEFINITION_STEPS_MAX];
    bool seen[DEFINITION_STEPS_MAX] = {false};
    size_t queued = 0;
    queue[queued++] = (uint16_t)start;
    seen[start] = true;
    for (size_t taken = 0; taken < queued; taken++) {
        const struct step *step = &draft->steps[queue[taken]];
        for (size_t f = 0; f < step->feed_count; f++) {
            const uint16_t feed = step->feeds[f];
            if (seen[feed] || !same_cycle(&draft->graph, start, feed)) continue;
            seen[feed] = true;
            next[feed] = step->position;
            queue[queued++] = feed;
        }
    }
}

/* The need of `start` from which the way back to `start` is shortest. */
static size_t first_of_cycle(const struct draft *draft, size_t start, const uint16_t *next,
                             size_t *ret_length)
{
    size_t first = start;
    *ret_length = SIZE_MAX;
    for (size_t n = 0; n < draft->steps[start].need_count; n++) {
        const size_t need = draft->steps[start].needs[n];
        if (!same_cycle(&draft->graph, start, need)) continue;
        size_t length = 1;
        for (size_t at = need; at != start; at = next[at]) {
            length++;
        }
        if (length >= *ret_length) continue;
        *ret_length = length;
        first = need;
    }
    return first;
}

static void report_cycle(struct draft *draft, size_t start)
{
    uint16_t next[DEFINITION_STEPS_MAX] = {0};
    size_t length = 0;
    ways_back(draft, start, next);
    size_t at = first_of_cycle(draft, start, next, &length);
    struct buffer way = buffer_in(draft->scratch);
    buffer_add_text(&way, shown_text(draft->steps[start].id).text);
    for (size_t i = 0; i < length && i < CYCLE_SHOWN_MAX; i++, at = next[at]) {
        buffer_add_format(&way, " -> %s", shown_text(draft->steps[at].id).text);
    }
    problems_error(&draft->problems, draft->step_drafts[start].depends_on,
                   "a cycle: %s%s; none of these could ever start, so remove one of the edges",
                   way.data, length > CYCLE_SHOWN_MAX ? " -> ..." : "");
}

/*
 * One report for all steps that wait for each other, at the first of them: it waits for a later
 * one, and such an edge is always written out.
 */
static void find_cycles(struct draft *draft)
{
    struct graph *graph = &draft->graph;
    bool told[DEFINITION_STEPS_MAX] = {false};
    for (size_t i = 0; i < graph->count; i++) {
        if (!graph_is_above(graph, i, i)) continue;
        doubt(graph, i);
        if (told[i]) continue;
        assert(draft->step_drafts[i].depends_on != NULL);
        report_cycle(draft, i);
        for (size_t other = i; other < graph->count; other++) {
            if (same_cycle(graph, i, other)) told[other] = true;
        }
    }
}

static void spread_doubt(struct graph *graph)
{
    for (size_t i = 0; i < graph->count && !graph->sound; i++) {
        for (size_t other = 0; other < graph->count && !graph->unsure[i]; other++) {
            graph->unsure[i] = graph->unsure[other] && graph_is_above(graph, i, other);
        }
    }
}

void graph_build(struct draft *draft)
{
    struct graph *graph = &draft->graph;
    graph->count = draft->step_count;
    graph->words = (draft->step_count + 63) / 64;
    graph->above = arena_array(draft->scratch, graph->count * graph->words, sizeof(*graph->above));
    graph->unsure = arena_array(draft->scratch, graph->count, sizeof(*graph->unsure));
    graph->sound = true;
    index_ids(draft);
    for (size_t i = 0; i < draft->step_count; i++) {
        read_edges(draft, i);
    }
    fill_needs(draft);
    fill_feeds(draft);
    close_over(graph);
    find_cycles(draft);
    spread_doubt(graph);
}
