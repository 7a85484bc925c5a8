/*
 * cli/history.h
 *   History rows as lines: when, how long after the first, what, where, and what with.
 */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

#include "cli/terminal.h"
#include "sagas/base/json_view.h"

struct history_lines {
    const struct terminal *terminal;
    struct arena *arena;
    bool wide;
    int64_t first_at_ms; /* of the first line; set by it */
};

void history_line(struct history_lines *lines, const struct json_view *item, struct buffer *buffer);

#endif
