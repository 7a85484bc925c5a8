/*
 * cli/config.h
 *   Contexts: named addresses with their keys, in one file that only its owner can read.
 *
 *     {"current_context": "prod", "contexts": {"prod": {"url": "https://...", "key": "..."}}}
 *
 * SAGACTL_CONFIG names the file, else $XDG_CONFIG_HOME/sagactl/config.json, else
 * ~/.config/sagactl/config.json. It is written whole, to a new file that takes the old one's
 * place, mode 0600. A key is never printed.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli/talk.h"
#include "sagas/base/bytes.h"

struct context {
    const char *name;
    const char *url; /* NULL: the default */
    const char *key; /* NULL: none */
};

struct config {
    const char *file;
    const char *current; /* NULL: none */
    struct context *contexts;
    size_t count;
};

/* A file that is not there is an empty config; one that cannot be read or understood is told. */
enum status config_load(struct arena *arena, struct config *ret_config);
enum status config_save(const struct config *config, struct arena *arena);
/* NULL when there is none of that name. */
struct context *config_find(const struct config *config, const char *name);
/* The context of that name, made when it is new. */
struct context *config_add(struct config *config, const char *name, struct arena *arena);

#endif
