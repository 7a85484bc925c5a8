#include "cli/demo/scenes.h"

#include <inttypes.h>
#include <stdint.h>

/* clang-format off */
const struct scene SCENES[] = {
    {.title = "An order goes through",
     .moral = "Two items reserved side by side with the fraud check, then payment, parcel and mail.",
     .definition = "order-checkout",
     .input = "{\"order_id\":\"o-@-1\",\"customer_id\":\"ann\",\"total\":640.00,\"currency\":\"EUR\","
              "\"items\":[{\"sku\":\"desk\",\"qty\":1},{\"sku\":\"lamp\",\"qty\":2}],\"card\":\"valid\"}",
     .state = "succeeded",
     .check = {{"reserve", "succeeded", 0, 0}, {"fraud_check", "succeeded", 0, 0}, {"charge", "succeeded", 0, 0},
               {"ship", "succeeded", 0, 0}, {"notify", "succeeded", 0, 0}},
     .proof = "every step was done, nothing was undone"},
    {.title = "The card is declined",
     .moral = "A refusal is final: no retry, and what was taken is given back, last first.",
     .definition = "order-checkout",
     .input = "{\"order_id\":\"o-@-2\",\"customer_id\":\"bob\",\"total\":90.10,\"currency\":\"EUR\","
              "\"items\":[{\"sku\":\"chair\",\"qty\":4},{\"sku\":\"lamp\",\"qty\":1}],\"card\":\"declined\"}",
     .state = "compensated",
     .check = {{"reserve", "succeeded", 0, 1}, {"charge", "failed", 1, 0}},
     .proof = "charged never, and each item that was reserved is released once"},
    {.title = "The payment service is down for a while",
     .moral = "\"Not now\" is no refusal: tried again with growing pauses until it works.",
     .definition = "order-checkout",
     .input = "{\"order_id\":\"o-@-3\",\"customer_id\":\"cleo\",\"total\":25.00,\"currency\":\"EUR\","
              "\"items\":[{\"sku\":\"book\",\"qty\":1}],\"card\":\"down\"}",
     .state = "succeeded",
     .check = {{"reserve", "succeeded", 0, 0}, {"charge", "succeeded", 4, 0}, {"ship", "succeeded", 0, 0},
               {"notify", "succeeded", 0, 0}},
     .proof = "charged at the fourth attempt, under one idempotency key"},
    {.title = "The payment never answers",
     .moral = "Silence is no failure: the money may be gone, so the charge is undone like a finished one.",
     .definition = "order-checkout",
     .input = "{\"order_id\":\"o-@-4\",\"customer_id\":\"dan\",\"total\":310.00,\"currency\":\"EUR\","
              "\"items\":[{\"sku\":\"sofa\",\"qty\":1},{\"sku\":\"lamp\",\"qty\":1}],\"card\":\"timeout\"}",
     .state = "compensated",
     .check = {{"reserve", "succeeded", 0, 1}, {"charge", "unknown", 4, 1}},
     .undo_first = "charge", .undo_then = "reserve",
     .proof = "refunded exactly once, before the stock was released"},
    {.title = "A title goes live in four regions",
     .moral = "Catalogue and artwork side by side, one branch for each region, then search and cache.",
     .definition = "content-publish",
     .input = "{\"title_id\":\"film-@-1\",\"state\":\"live\",\"regions\":[\"DE\",\"FR\",\"US\",\"JP\"]}",
     .state = "succeeded",
     .check = {{"rights", "succeeded", 0, 0}, {"catalogue", "succeeded", 0, 0}, {"artwork", "succeeded", 0, 0},
               {"availability", "succeeded", 0, 0}, {"search", "succeeded", 0, 0}, {"cache", "succeeded", 0, 0}},
     .proof = "live everywhere"},
    {.title = "One region refuses",
     .moral = "All or none: the other regions, artwork, catalogue and rights are put back as they were.",
     .definition = "content-publish",
     .input = "{\"title_id\":\"film-@-2\",\"state\":\"live\",\"regions\":[\"DE\",\"FR\",\"US\",\"JP\"],"
              "\"refuse_region\":\"FR\"}",
     .state = "compensated",
     .check = {{"rights", "succeeded", 0, 1}, {"catalogue", "succeeded", 0, 1}, {"artwork", "succeeded", 0, 1}},
     .undo_first = "availability", .undo_then = "rights",
     .proof = "live nowhere: every other region was rolled back, the rights last"},
};
/* clang-format on */

const size_t SCENE_COUNT = sizeof SCENES / sizeof SCENES[0];

static void add_line(const struct story *story, const struct terminal *terminal, bool good,
                     const char *text, struct buffer *buffer)
{
    struct buffer line = buffer_in(story->arena);
    const char *mark =
        good ? (terminal->utf8 ? "\u2713" : "ok:") : (terminal->utf8 ? "\u2717" : "NOT:");
    buffer_add_format(&line, "%s %s", mark, text);
    buffer_add_text(buffer, "     ");
    terminal_add_text(buffer, terminal, good ? STYLE_GOOD : STYLE_BAD, buffer_bytes(&line), 0);
    buffer_add_char(buffer, '\n');
}

static bool lane_holds(const struct scene_check *check, const struct lane *lane)
{
    return bytes_equal_text(lane->ended, check->ended) && lane->undone == check->undone &&
           (check->attempts == 0 || lane->attempts == check->attempts);
}

static bool check_holds(const struct scene_check *check, const struct story *story,
                        const struct terminal *terminal, struct buffer *buffer)
{
    bool holds = true;
    size_t lanes = 0;
    for (size_t i = 0; i < story->lane_count; i++) {
        const struct lane *lane = &story->lane[i];
        if (!bytes_equal_text(lane->step, check->step)) continue;
        lanes++;
        if (lane_holds(check, lane)) continue;
        struct buffer text = buffer_in(story->arena);
        buffer_add_bytes(&text, lane->name);
        buffer_add_format(&text, " must be %s, undone %" PRId64 " times, and is ", check->ended,
                          check->undone);
        buffer_add_bytes(&text, lane->ended.size > 0 ? lane->ended : BYTES("not ended"));
        buffer_add_format(&text, ", undone %" PRId64 " times, after %" PRId64 " attempts",
                          lane->undone, lane->attempts);
        add_line(story, terminal, false, text.data, buffer);
        holds = false;
    }
    if (lanes > 0) return holds;
    struct buffer text = buffer_in(story->arena);
    buffer_add_format(&text, "%s never ran", check->step);
    add_line(story, terminal, false, text.data, buffer);
    return false;
}

/* Each succeeded lane that could be undone was, and the undos of one step came before the other's.
 */
static bool undo_order_holds(const struct scene *scene, const struct story *story)
{
    size_t last_first = 0;
    size_t first_then = SIZE_MAX;
    for (size_t i = 0; i < story->lane_count; i++) {
        const struct lane *lane = &story->lane[i];
        if (bytes_equal_text(lane->step, scene->undo_first)) {
            const bool missing = bytes_equal_text(lane->ended, "succeeded") && lane->undone != 1;
            if (missing) return false;
            if (lane->undo_order > last_first) last_first = lane->undo_order;
        }
        if (bytes_equal_text(lane->step, scene->undo_then) && lane->undo_order < first_then) {
            first_then = lane->undo_order;
        }
    }
    return last_first > 0 && last_first < first_then;
}

bool scene_holds(const struct scene *scene, const struct story *story,
                 const struct terminal *terminal, struct buffer *buffer)
{
    bool holds = true;
    if (!bytes_equal_text(story->state, scene->state)) {
        struct buffer text = buffer_in(story->arena);
        buffer_add_format(&text, "the saga must be %s and is ", scene->state);
        buffer_add_bytes(&text, story->state);
        add_line(story, terminal, false, text.data, buffer);
        holds = false;
    }
    for (size_t i = 0; i < SCENE_CHECKS_MAX && scene->check[i].step != NULL; i++) {
        if (!check_holds(&scene->check[i], story, terminal, buffer)) holds = false;
    }
    if (scene->undo_first != NULL && !undo_order_holds(scene, story)) {
        add_line(story, terminal, false, "the undo was incomplete or out of order", buffer);
        holds = false;
    }
    if (holds) add_line(story, terminal, true, scene->proof, buffer);
    return holds;
}
