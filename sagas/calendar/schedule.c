#include "sagas/calendar/schedule.h"

#include <assert.h>
#include <string.h>

static const char *const CATCH_UP_NAMES[CATCH_UP_COUNT] = {"none", "one", "all"};
static const char *const OVERLAP_NAMES[OVERLAP_COUNT] = {"allow", "skip", "queue"};

static bool find_name(const char *const *names, int count, struct bytes name, int *ret_index)
{
    for (int i = 0; i < count; i++) {
        *ret_index = i;
        if (bytes_equal_text(name, names[i])) return true;
    }
    return false;
}

const char *catch_up_name(enum catch_up catch_up)
{
    assert(catch_up < CATCH_UP_COUNT);
    return CATCH_UP_NAMES[catch_up];
}

bool catch_up_parse(struct bytes name, enum catch_up *ret_catch_up)
{
    int index = 0;
    if (!find_name(CATCH_UP_NAMES, CATCH_UP_COUNT, name, &index)) return false;
    *ret_catch_up = (enum catch_up)index;
    return true;
}

const char *overlap_name(enum overlap overlap)
{
    assert(overlap < OVERLAP_COUNT);
    return OVERLAP_NAMES[overlap];
}

bool overlap_parse(struct bytes name, enum overlap *ret_overlap)
{
    int index = 0;
    if (!find_name(OVERLAP_NAMES, OVERLAP_COUNT, name, &index)) return false;
    *ret_overlap = (enum overlap)index;
    return true;
}

bool schedule_is_triggered(int64_t at_ms)
{
    return at_ms % 1000 != 0;
}

int64_t schedule_trigger_time(int64_t now_ms)
{
    return now_ms % 1000 == 0 ? now_ms + 1 : now_ms;
}

static int64_t time_after(const struct schedule_rules *rules, int64_t at_ms)
{
    int64_t next_ms = 0;
    return cron_next(rules->cron, rules->zone, at_ms, &next_ms) ? next_ms : 0;
}

struct deciding {
    const struct schedule_rules *rules;
    int64_t now_ms;
    struct schedule_turn *turn;
};

static void advance(struct deciding *deciding)
{
    struct schedule_state *const state = &deciding->turn->after;
    state->next_at_ms = time_after(deciding->rules, state->next_at_ms);
}

/* Is there a time of cron that asks to be dealt with? */
static bool is_due(const struct deciding *deciding)
{
    const int64_t next_at_ms = deciding->turn->after.next_at_ms;
    return !deciding->rules->paused && next_at_ms != 0 && next_at_ms <= deciding->now_ms;
}

static void miss(struct deciding *deciding)
{
    struct schedule_turn *const turn = deciding->turn;
    turn->missed_until_ms = turn->after.next_at_ms;
    turn->missed++;
    if (turn->missed < SCHEDULE_COUNT_MAX) {
        advance(deciding);
    } else {
        turn->after.next_at_ms = time_after(deciding->rules, deciding->now_ms);
    }
}

static void skip(struct deciding *deciding, int64_t at_ms)
{
    deciding->turn->skipped++;
    deciding->turn->skipped_until_ms = at_ms;
}

/* Times that are too late for the schedule's rules. */
static void give_up_missed(struct deciding *deciding)
{
    const struct schedule_rules *const rules = deciding->rules;
    const int64_t patience_ms =
        rules->catch_up == CATCH_UP_NONE ? SCHEDULE_ON_TIME_MS : rules->window_ms;
    while (is_due(deciding) && deciding->turn->after.next_at_ms < deciding->now_ms - patience_ms) {
        miss(deciding);
    }
    while (rules->catch_up == CATCH_UP_ONE && is_due(deciding)) {
        const int64_t following_ms = time_after(rules, deciding->turn->after.next_at_ms);
        if (following_ms == 0 || following_ms > deciding->now_ms) return;
        miss(deciding);
    }
}

/* In a queue, times of cron wait like all others. */
static void queue_due(struct deciding *deciding)
{
    struct schedule_state *const after = &deciding->turn->after;
    for (; is_due(deciding); advance(deciding)) {
        if (after->waiting_count < SCHEDULE_WAITING_MAX) {
            after->waiting[after->waiting_count++] = after->next_at_ms;
        } else {
            skip(deciding, after->next_at_ms);
        }
    }
}

/* The first that waits and may start; waiting_count: none. */
static size_t first_waiting(const struct deciding *deciding)
{
    const struct schedule_state *const after = &deciding->turn->after;
    size_t i = 0;
    while (i < after->waiting_count && deciding->rules->paused &&
           !schedule_is_triggered(after->waiting[i])) {
        i++;
    }
    return i;
}

static int64_t take_waiting(struct schedule_state *state, size_t place)
{
    const int64_t at_ms = state->waiting[place];
    state->waiting_count--;
    memmove(&state->waiting[place], &state->waiting[place + 1],
            (state->waiting_count - place) * sizeof state->waiting[0]);
    return at_ms;
}

static bool wants_to_start(const struct deciding *deciding)
{
    return first_waiting(deciding) < deciding->turn->after.waiting_count || is_due(deciding);
}

static int64_t take_first(struct deciding *deciding)
{
    struct schedule_state *const after = &deciding->turn->after;
    const size_t place = first_waiting(deciding);
    if (place < after->waiting_count) return take_waiting(after, place);
    const int64_t at_ms = after->next_at_ms;
    advance(deciding);
    return at_ms;
}

void schedule_decide(const struct schedule_rules *rules, const struct schedule_state *state,
                     bool previous_is_open, int64_t now_ms, struct schedule_turn *ret_turn)
{
    struct deciding deciding = {rules, now_ms, ret_turn};
    *ret_turn = (struct schedule_turn){.after = *state};
    give_up_missed(&deciding);
    if (rules->overlap == OVERLAP_QUEUE) queue_due(&deciding);

    const bool may_start = rules->overlap == OVERLAP_ALLOW || !previous_is_open;
    if (may_start && wants_to_start(&deciding)) ret_turn->start_at_ms = take_first(&deciding);
    while (!may_start && rules->overlap == OVERLAP_SKIP && wants_to_start(&deciding)) {
        skip(&deciding, take_first(&deciding));
    }

    if (wants_to_start(&deciding)) {
        ret_turn->wake_at_ms = now_ms + (rules->overlap == OVERLAP_ALLOW ? 0 : SCHEDULE_LOOK_MS);
    } else if (!rules->paused) {
        ret_turn->wake_at_ms = ret_turn->after.next_at_ms;
    }
}

void schedule_pass_over(const struct schedule_rules *rules, struct schedule_state *state,
                        int64_t now_ms, uint32_t *ret_missed)
{
    *ret_missed = 0;
    while (state->next_at_ms != 0 && state->next_at_ms <= now_ms &&
           *ret_missed < SCHEDULE_COUNT_MAX) {
        state->next_at_ms = time_after(rules, state->next_at_ms);
        (*ret_missed)++;
    }
    if (state->next_at_ms != 0 && state->next_at_ms <= now_ms) {
        state->next_at_ms = time_after(rules, now_ms);
    }
}
