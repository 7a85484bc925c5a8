#include "orchestrator/daemon/nearest.h"

#include <string.h>

enum { WORD_MAX = 64, NEAR = 3 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, const char *b)
{
    const size_t size_a = strlen(a);
    const size_t size_b = strlen(b);
    if (size_a >= WORD_MAX || size_b >= WORD_MAX) return WORD_MAX;
    size_t row[WORD_MAX];
    for (size_t j = 0; j <= size_b; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= size_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= size_b; j++) {
            const size_t above = row[j];
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = least(replaced, least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[size_b];
}

/* The first word that goes on after `beginning`. */
static const char *longer_word(const char *beginning, const char *const *words, size_t count)
{
    const size_t size = strlen(beginning);
    for (size_t i = 0; size >= NEAR && i < count; i++) {
        if (strncmp(words[i], beginning, size) == 0) return words[i];
    }
    return NULL;
}

const char *nearest_word(const char *word, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t best_distance = NEAR + 1;
    for (size_t i = 0; i < count; i++) {
        const size_t far = distance(word, words[i]);
        if (far >= best_distance || far >= strlen(words[i])) continue;
        best = words[i];
        best_distance = far;
    }
    return best != NULL ? best : longer_word(word, words, count);
}
