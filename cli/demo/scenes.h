/*
 * cli/demo/scenes.h
 *   The scenes of the demo: what is started, and what must come of it.
 */
#ifndef CLI_DEMO_SCENES_H
#define CLI_DEMO_SCENES_H

#include "cli/demo/story.h"

enum { SCENE_CHECKS_MAX = 8 };

/* Holds for every lane of the step. */
struct scene_check {
    const char *step; /* NULL ends the list */
    const char *ended;
    int64_t attempts; /* 0: any number */
    int64_t undone;   /* exactly */
};

struct scene {
    const char *title, *moral;
    const char *definition;
    const char *input; /* `@` stands for something that is new in each run */
    const char *state; /* how the saga must end */
    struct scene_check check[SCENE_CHECKS_MAX];
    const char *undo_first, *undo_then; /* each undo of one before any of the other; NULL: none */
    const char *proof;                  /* said when all of it holds */
};

extern const struct scene SCENES[];
extern const size_t SCENE_COUNT;

/* Says each thing that is not as it must be; true when there is none. */
bool scene_holds(const struct scene *scene, const struct story *story,
                 const struct terminal *terminal, struct buffer *buffer);

#endif
