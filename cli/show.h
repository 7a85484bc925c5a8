/*
 * cli/show.h
 *   Sagas, steps and history as tables for people.
 *
 * Everything is appended to a buffer, so that `watch` can count lines before it redraws.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/table.h"
#include "sagas/base/json_view.h"

struct show {
    const struct terminal *terminal;
    struct arena *arena;
    bool wide;
    int64_t now_ms; /* what "ago" counts from */
};

/* A table of sagas: fill with show_saga_row, print with table_print. */
struct table show_saga_table(const struct show *show);
void show_saga_row(const struct show *show, struct table *table, const struct json_view *saga);

/* One saga as a block of lines: what, state, times, labels, error, input, output. */
void show_saga(const struct show *show, const struct json_view *saga, struct buffer *buffer);
/* "order-checkout v3" and the id, the state and the time it took: one line. */
void show_saga_line(const struct show *show, const struct json_view *saga, struct buffer *buffer);

/* A table of the items of /steps. `limit` rows at most (0: all): then foreach items are summed up.
 */
void show_steps(const struct show *show, const struct json_view *items, size_t limit,
                struct buffer *buffer);

/* "reserve[2]": a step, or one item of it. */
struct bytes show_step_name(struct arena *arena, struct bytes id, const struct json_view *index);

/* The fields of a `why` answer under its sentence. */
void show_why(const struct show *show, const struct json_view *why, struct buffer *buffer);

#endif
