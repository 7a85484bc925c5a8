#include "sagas/definition/near.h"

#include <string.h>

enum { NAME_SIZE_MAX = 40 };

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t near_limit(struct bytes name)
{
    return least((name.size + 2) / 3, 3);
}

/* Optimal string alignment, three rows of its table at a time. */
size_t near_distance(struct bytes a, struct bytes b, size_t most)
{
    const size_t longer = a.size > b.size ? a.size : b.size;
    if (longer > NAME_SIZE_MAX || longer - least(a.size, b.size) > most) return most + 1;

    size_t rows[3][NAME_SIZE_MAX + 1];
    for (size_t j = 0; j <= b.size; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.size; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above_that = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            const char x = lower(a.data[i - 1]);
            const char y = lower(b.data[j - 1]);
            row[j] = least(above[j - 1] + (x == y ? 0 : 1), least(above[j], row[j - 1]) + 1);
            const bool swapped =
                i > 1 && j > 1 && x == lower(b.data[j - 2]) && y == lower(a.data[i - 2]);
            if (swapped) row[j] = least(row[j], above_that[j - 2] + 1);
        }
    }
    return rows[a.size % 3][b.size];
}
