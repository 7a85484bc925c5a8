/* A saga as it is stated beside its fold. */
#include "sagas/machine/fold.h"
#include "sagas/machine/turn.h"

static bool is_unsent(enum step_state state)
{
    return state == STEP_WAITING || state == STEP_READY;
}

struct comparison {
    struct arena *scratch;
    fold_differs *differs;
    void *context;
    struct fold_difference difference; /* of whom */
    size_t count;
};

static void tell(struct comparison *comparison, const char *member, struct bytes stated,
                 struct bytes folded)
{
    if (bytes_equal(stated, folded) && (stated.data == NULL) == (folded.data == NULL)) return;
    struct fold_difference difference = comparison->difference;
    difference.member = member;
    difference.stated = stated.data == NULL ? BYTES("null") : stated;
    difference.folded = folded.data == NULL ? BYTES("null") : folded;
    comparison->count++;
    comparison->differs(comparison->context, &difference);
}

static void tell_number(struct comparison *comparison, const char *member, uint32_t stated,
                        uint32_t folded)
{
    struct buffer one = buffer_in(comparison->scratch);
    struct buffer other = buffer_in(comparison->scratch);
    buffer_add_format(&one, "%u", stated);
    buffer_add_format(&other, "%u", folded);
    tell(comparison, member, buffer_bytes(&one), buffer_bytes(&other));
}

static void tell_time(struct comparison *comparison, const char *member, int64_t stated_ms,
                      int64_t folded_ms)
{
    struct buffer one = buffer_in(comparison->scratch);
    struct buffer other = buffer_in(comparison->scratch);
    if (stated_ms == folded_ms) return;
    json_write_time(&one, stated_ms);
    json_write_time(&other, folded_ms);
    tell(comparison, member, buffer_bytes(&one), buffer_bytes(&other));
}

static void tell_flag(struct comparison *comparison, const char *member, bool stated, bool folded)
{
    tell(comparison, member, stated ? BYTES("true") : BYTES("false"),
         folded ? BYTES("true") : BYTES("false"));
}

static void tell_attention(struct comparison *comparison, uint32_t stated, uint32_t folded)
{
    static const uint32_t TOLD = ~(uint32_t)(ATTENTION_NO_HANDLER | ATTENTION_BAD_REPLY);
    struct buffer one = buffer_in(comparison->scratch);
    struct buffer other = buffer_in(comparison->scratch);
    attention_write(&one, stated & TOLD);
    attention_write(&other, folded & TOLD);
    tell(comparison, "attention", buffer_bytes(&one), buffer_bytes(&other));
}

static struct bytes text_or_nothing(struct bytes text)
{
    return text.size == 0 ? (struct bytes){0} : text;
}

static void tell_error(struct comparison *comparison, const struct saga_error *stated,
                       const struct saga_error *folded)
{
    tell(comparison, "error.code", bytes_of(stated->code), bytes_of(folded->code));
    tell(comparison, "error.detail", stated->detail, folded->detail);
}

static void tell_effect(struct comparison *comparison, const struct run_effect *stated,
                        const struct run_effect *folded)
{
    static const struct run_effect NOT_KNOWN;
    if (comparison->difference.step->effect == NULL) return; /* an earlier version declared it */
    if (stated == NULL) stated = &NOT_KNOWN;
    if (folded == NULL) folded = &NOT_KNOWN;
    tell(comparison, "effect.amount", stated->amount, folded->amount);
    tell(comparison, "effect.currency", stated->currency, folded->currency);
}

static void compare_saga(struct comparison *comparison, const struct fold *fold,
                         const struct saga *stated)
{
    const struct saga *const folded = fold->saga;
    comparison->difference = (struct fold_difference){.index = INDEX_NONE, .seq = fold->saga_seq};
    tell(comparison, "state", bytes_of(saga_state_name(stated->state)),
         bytes_of(saga_state_name(folded->state)));
    tell_flag(comparison, "paused", stated->paused, folded->paused);
    tell_flag(comparison, "cancel_requested", stated->cancel_requested, folded->cancel_requested);
    tell_attention(comparison, stated->attention, folded->attention);
    tell(comparison, "lock.state", bytes_of(lock_state_name(stated->lock)),
         bytes_of(lock_state_name(folded->lock)));
    tell(comparison, "lock.key", text_or_nothing(stated->lock_key),
         text_or_nothing(folded->lock_key));
    if (fold->error_known) tell_error(comparison, &stated->error, &folded->error);
    tell(comparison, "output", stated->output, folded->output);
    tell_time(comparison, "created_at", stated->created_at_ms, folded->created_at_ms);
    tell_time(comparison, "start_at", stated->start_at_ms, folded->start_at_ms);
    tell_time(comparison, "started_at", stated->started_at_ms, folded->started_at_ms);
    tell_time(comparison, "finished_at", stated->finished_at_ms, folded->finished_at_ms);
    tell_time(comparison, "deadline_at", stated->deadline_at_ms, folded->deadline_at_ms);
    comparison->difference.seq = fold->seq;
    tell_number(comparison, "revision", stated->revision, folded->revision);
    tell_time(comparison, "updated_at", stated->updated_at_ms, folded->updated_at_ms);
}

static void compare_run(struct comparison *comparison, const struct step_run *stated,
                        const struct step_run *folded, const struct fold_run *note)
{
    comparison->difference.seq = note->seq;
    if (!is_unsent(stated->state) || !is_unsent(folded->state)) {
        tell(comparison, "state", bytes_of(step_state_name(stated->state)),
             bytes_of(step_state_name(folded->state)));
    }
    tell(comparison, "op", bytes_of(op_name(stated->op)), bytes_of(op_name(folded->op)));
    tell_number(comparison, "attempt", stated->attempt, folded->attempt);
    tell(comparison, "output", stated->output, folded->output);
    tell_error(comparison, &stated->error, &folded->error);
    tell_effect(comparison, stated->effect, folded->effect);
    if (!note->started_loose) {
        tell_time(comparison, "started_at", stated->started_at_ms, folded->started_at_ms);
    }
    tell_time(comparison, "finished_at", stated->finished_at_ms, folded->finished_at_ms);
    tell_time(comparison, "next_attempt_at", stated->next_attempt_at_ms,
              folded->next_attempt_at_ms);
    tell_time(comparison, "deadline_at", stated->deadline_at_ms, folded->deadline_at_ms);
}

static void compare_step(struct comparison *comparison, const struct fold *fold,
                         const struct step_runs *stated, size_t position)
{
    const struct step_runs *const folded = &fold->saga->steps[position];
    const bool has_items = stated->expanded && stated->count > 0;
    tell_number(comparison, "items", has_items ? stated->count : 0,
                folded->expanded ? folded->count : 0);
    if (stated->expanded && !has_items) return; /* a foreach over nothing has no runs */
    for (uint32_t k = 0; k < runs_shown(stated) && k < runs_shown(folded); k++) {
        comparison->difference.index = has_items ? (int32_t)k : INDEX_NONE;
        compare_run(comparison, &stated->run[k], &folded->run[k], &fold->steps[position].run[k]);
    }
}

size_t fold_compare(struct fold *fold, const struct saga *stated, struct arena *scratch,
                    fold_differs *differs, void *context)
{
    const struct definition *const definition = stated->definition;
    struct comparison comparison = {.scratch = scratch, .differs = differs, .context = context};
    fold_finish(fold);
    compare_saga(&comparison, fold, stated);
    for (size_t i = 0; i < definition->step_count; i++) {
        comparison.difference =
            (struct fold_difference){.step = &definition->steps[i], .index = INDEX_NONE};
        compare_step(&comparison, fold, &stated->steps[i], i);
    }
    return comparison.count;
}
