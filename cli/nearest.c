#include "cli/nearest.h"

#include <stdbool.h>
#include <string.h>

enum { WORD_SIZE_MAX = 63 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* One row of the distance matrix; `before` is the row above, `second` the one above that. */
static void fill_row(const char *a, const char *b, int i, const int *second, const int *before,
                     int *row)
{
    const int columns = (int)strlen(b);
    row[0] = i;
    for (int j = 1; j <= columns; j++) {
        const int cost = a[i - 1] == b[j - 1] ? 0 : 1;
        row[j] = least(before[j - 1] + cost, least(before[j], row[j - 1]) + 1);
        const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
        if (swapped) row[j] = least(row[j], second[j - 2] + 1);
    }
}

int nearest_distance(const char *a, const char *b)
{
    const size_t a_size = strlen(a);
    const size_t b_size = strlen(b);
    if (a_size > WORD_SIZE_MAX || b_size > WORD_SIZE_MAX) return WORD_SIZE_MAX;

    int rows[3][WORD_SIZE_MAX + 1] = {{0}};
    for (int j = 0; j <= (int)b_size; j++) {
        rows[0][j] = j;
    }
    for (int i = 1; i <= (int)a_size; i++) {
        fill_row(a, b, i, rows[(i + 1) % 3], rows[(i - 1) % 3], rows[i % 3]);
    }
    return rows[a_size % 3][b_size];
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    const size_t size = strlen(nearest->word);
    const int allowed = size <= 3 ? 1 : size <= 6 ? 2 : 3;
    /* A beginning of the word counts as the closest: `hist` means `history`. */
    const bool starts = size >= 3 && strncmp(nearest->word, candidate, size) == 0;
    const int distance = starts ? 0 : nearest_distance(nearest->word, candidate);
    if (distance > allowed) return;
    if (nearest->best != NULL && nearest->distance <= distance) return;
    nearest->best = candidate;
    nearest->distance = distance;
}
