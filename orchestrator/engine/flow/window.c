#include "orchestrator/engine/flow/window.h"

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t floor_of(const struct window *window)
{
    return least(WINDOW_FLOOR, window->ceiling);
}

void window_begin(struct window *window, uint32_t ceiling)
{
    *window = (struct window){
        .ceiling = ceiling,
        .limit = least(WINDOW_FIRST, ceiling),
        .slow_start_until = ceiling,
    };
}

void window_restart(struct window *window)
{
    window->slow_start_until = window->limit;
    window->limit = floor_of(window);
    window->fastest_ms = 0;
}

static void note_fastest(struct window *window, const struct window_sample *sample)
{
    if (sample->latency_ms <= 0) return;
    const bool old = sample->now_ms - window->fastest_at_ms > WINDOW_FASTEST_FOR_MS;
    if (window->fastest_ms != 0 && sample->latency_ms > window->fastest_ms && !old) return;
    window->fastest_ms = sample->latency_ms;
    window->fastest_at_ms = sample->now_ms;
}

static bool is_slow(const struct window *window, const struct window_sample *sample)
{
    const int64_t latency_ms = sample->latency_ms;
    if (latency_ms <= WINDOW_CALM_MS) return false;
    return latency_ms > window->fastest_ms * WINDOW_SLOWER_TIMES ||
           (sample->timeout_ms > 0 && latency_ms > sample->timeout_ms / 2);
}

static bool is_behind(const struct window_sample *sample)
{
    if (sample->lag <= 0 || sample->read_per_s <= 0) return false;
    return sample->lag / sample->read_per_s > WINDOW_LAG_MAX_MS / 1000;
}

static bool is_bad(const struct window_sample *sample)
{
    const uint64_t all = (uint64_t)sample->good + sample->bad;
    return all >= WINDOW_LEAST && (uint64_t)sample->bad * 100 > all * WINDOW_BAD_PERCENT;
}

static void shrink(struct window *window, int64_t now_ms)
{
    if (window->shrunk_at_ms != 0 && now_ms - window->shrunk_at_ms < WINDOW_SHRINK_EVERY_MS) return;
    const uint32_t less = window->limit - window->limit / 3;
    window->limit = less < floor_of(window) ? floor_of(window) : less;
    window->slow_start_until = window->limit;
    window->shrunk_at_ms = now_ms;
}

static void grow(struct window *window)
{
    const uint32_t more =
        window->limit < window->slow_start_until ? window->limit : window->limit / 10 + 1;
    window->limit = least(window->ceiling, window->limit + more);
}

void window_note(struct window *window, const struct window_sample *sample)
{
    note_fastest(window, sample);
    if (is_slow(window, sample) || is_behind(sample) || is_bad(sample)) {
        shrink(window, sample->now_ms);
        return;
    }
    const bool full = sample->waiting || sample->outstanding >= window->limit / 4 * 3;
    if (full && sample->bad == 0) grow(window);
}
