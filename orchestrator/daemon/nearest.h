/*
 * orchestrator/daemon/nearest.h
 *   What a mistyped word was meant to be.
 */
#ifndef ORCHESTRATOR_DAEMON_NEAREST_H
#define ORCHESTRATOR_DAEMON_NEAREST_H

#include <stddef.h>

/*
 * Of `count` words the one within three edits (Levenshtein) of `word`, else one that begins with
 * it; NULL: none is near.
 */
const char *nearest_word(const char *word, const char *const *words, size_t count);

#endif
