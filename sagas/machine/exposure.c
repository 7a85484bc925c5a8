/* What a step does to the world: how much it is, and whether it counts. */
#include "sagas/machine/exposure.h"

#include "sagas/base/decimal.h"
#include "sagas/machine/turn.h"

#include <stdio.h>
#include <stdlib.h>

enum exposed run_exposed(const struct saga *saga, const struct step *step,
                         const struct step_run *run)
{
    if (step->effect == NULL || saga_is_finished(saga->state)) return EXPOSED_NOT;
    switch (run->state) {
    case STEP_SUCCEEDED:
    case STEP_COMPENSATING:
    case STEP_COMPENSATION_FAILED: return EXPOSED_DONE;
    case STEP_UNKNOWN: return EXPOSED_UNKNOWN;
    case STEP_WAITING:
    case STEP_READY:
    case STEP_DISPATCHED:
    case STEP_RETRYING:
    case STEP_FAILED:
    case STEP_SKIPPED:
    case STEP_COMPENSATED:
    case STEP_COMPENSATION_SKIPPED: return EXPOSED_NOT;
    case STEP_STATE_COUNT: break;
    }
    abort();
}

/* ---- how much ---- */

static bool is_nothing(struct bytes json)
{
    return json.data == NULL || bytes_equal_text(json, "null");
}

static bool read_amount(struct bytes json, struct arena *arena, struct bytes *ret_amount)
{
    struct bytes text = {0};
    const bool is_flag = json.data[0] == 't' || json.data[0] == 'f';
    return !is_flag && json_scalar_text(json, arena, &text) &&
           decimal_plain(text, arena, ret_amount);
}

static bool is_currency(struct bytes text)
{
    if (text.size == 0 || text.size > CURRENCY_SIZE_MAX) return false;
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f) return false;
    }
    return true;
}

static bool find_amount(const struct step_effect *effect, const struct expression_values *values,
                        struct arena *arena, struct bytes *ret_amount,
                        struct expression_error *ret_error)
{
    struct bytes json = {0};
    if (effect->amount == NULL) return true;
    if (!expression_evaluate(effect->amount, values, arena, &json, ret_error)) return false;
    if (is_nothing(json) || read_amount(json, arena, ret_amount)) return true;
    (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                   "it must be a number or the text of one, with at most %d digits on each side of "
                   "the point",
                   DECIMAL_DIGITS_MAX);
    return false;
}

static bool find_currency(const struct step_effect *effect, const struct expression_values *values,
                          struct arena *arena, struct bytes *ret_currency,
                          struct expression_error *ret_error)
{
    struct bytes json = {0};
    if (effect->currency == NULL) return true;
    if (!template_render(effect->currency, values, arena, &json, ret_error)) return false;
    if (is_nothing(json)) return true;
    if (json.data[0] == '"' && json_scalar_text(json, arena, ret_currency) &&
        is_currency(*ret_currency)) {
        return true;
    }
    *ret_currency = (struct bytes){0};
    (void)snprintf(ret_error->detail, sizeof(ret_error->detail),
                   "it must be a text of at most %d bytes such as \"EUR\"", CURRENCY_SIZE_MAX);
    return false;
}

static void add_text(struct buffer *json, const char *name, struct bytes text)
{
    json_write_text(json, name);
    buffer_add_char(json, ':');
    if (text.data == NULL) {
        buffer_add_text(json, "null");
    } else {
        json_write_string(json, text);
    }
}

/* Amounts are texts: a reader's double would not be exact. */
static struct bytes as_json(const struct run_effect *effect, struct arena *arena)
{
    struct buffer json = buffer_in(arena);
    buffer_add_char(&json, '{');
    add_text(&json, "amount", effect->amount);
    buffer_add_char(&json, ',');
    add_text(&json, "currency", effect->currency);
    buffer_add_char(&json, '}');
    return buffer_bytes(&json);
}

/* The first complaint is enough. */
static void complain(const char *member, const struct expression_error *error, struct turn *turn,
                     struct detail *detail)
{
    struct buffer text = buffer_in(turn->context->arena);
    if (detail->message.data != NULL) return;
    buffer_add_format(&text, "effect.%s: %s", member, error->detail);
    detail->message = cut_text(buffer_bytes(&text), ERROR_DETAIL_SIZE_MAX);
}

void note_effect(struct turn *turn, const struct run_ref *ref, struct detail *detail)
{
    const struct step_effect *const declared = ref->step->effect;
    struct arena *const arena = turn->context->arena;
    struct expression_values values;
    struct expression_error error;
    struct run_effect found = {0};
    if (declared == NULL || ref->run->effect != NULL) return;
    if (!run_values(turn, ref, &values, &error)) {
        complain("amount", &error, turn, detail);
    } else {
        if (!find_amount(declared, &values, arena, &found.amount, &error)) {
            complain("amount", &error, turn, detail);
        }
        if (!find_currency(declared, &values, arena, &found.currency, &error)) {
            complain("currency", &error, turn, detail);
        }
    }
    struct run_effect *const effect = arena_alloc(turn->saga->arena, sizeof(*effect));
    effect->amount = bytes_copy(turn->saga->arena, found.amount);
    effect->currency = bytes_copy(turn->saga->arena, found.currency);
    ref->run->effect = effect;
    detail->effect = as_json(effect, arena);
}
