/*
 * cli/demo/story.h
 *   What happened to one saga, read from its history: who did what when, drawn as a time line.
 */
#ifndef CLI_DEMO_STORY_H
#define CLI_DEMO_STORY_H

#include "cli/cli.h"

enum { LANE_SPANS_MAX = 24 };

enum span_kind { SPAN_RUN, SPAN_PAUSE, SPAN_UNDO };

/* One step, or one foreach item of it. */
struct lane {
    struct bytes step; /* id */
    struct bytes name; /* "reserve[1]" */
    struct span {
        enum span_kind kind;
        int64_t from_ms, to_ms; /* to_ms 0: not over */
    } span[LANE_SPANS_MAX];     /* in order; what is beyond is left out */
    size_t span_count;
    struct bytes ended; /* of the action: "succeeded", "failed", "unknown"; absent: neither */
    struct bytes code;  /* of the last refusal or retry */
    int64_t attempts;   /* of the action */
    int64_t undo_sent, undone;
    size_t undo_order; /* its undo was done as the so manieth; 0: never */
};

struct story {
    struct lane *lane; /* in order of their first command */
    size_t lane_count, lane_capacity;
    size_t undo_count;
    struct bytes state; /* of the saga */
    struct bytes order; /* "reserve[0], charge; undone: reserve[0]" */
    int64_t started_ms, ended_ms;
    struct arena *arena;
};

/* Read the whole history of a saga that ended. */
enum status story_read(struct cli *cli, const char *id, const struct json_view *saga,
                       struct story *ret_story);

/* A line for each lane with its bar, then the order. */
void story_print(const struct story *story, const struct terminal *terminal, struct buffer *buffer);

#endif
