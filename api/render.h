/*
 * api/render.h
 *   Sagas as JSON (contracts, section 3). Payload bytes are copied, never written anew.
 */
#ifndef API_RENDER_H
#define API_RENDER_H

#include "sagas/machine/saga.h"
#include "sagas/machine/why.h"

/* With input and output. */
void render_saga(struct buffer *buffer, const struct saga *saga, const char *namespace_name);
/* As an item of a list: without them. */
void render_saga_item(struct buffer *buffer, const struct saga *saga, const char *namespace_name);
/* definitions.c: open, the caller closes the object. */
struct definition_row;
void render_definition(struct buffer *body, const struct definition_row *row);
/* {"items":[..]}: one item for each command's life. `only`: of one step; -1: of all. */
void render_steps(struct buffer *buffer, const struct saga *saga, int only);
/* The array alone. */
void render_step_list(struct buffer *buffer, const struct saga *saga, int only);

/* `["..",".."]`: ids, 16 bytes each. */
void render_ids(struct buffer *buffer, struct bytes ids);

/* What the runtime adds to the core's answer. */
struct why_more {
    int32_t partition;             /* -1: not known */
    int64_t group_lag;             /* -1: not known */
    const struct lock_place *line; /* of a saga that waits for a lock; NULL: not known */
};
void render_why(struct buffer *buffer, const struct saga *saga, const struct why *why,
                const struct why_more *more);

#endif
