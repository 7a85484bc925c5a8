#include "cli/start.h"

#include "cli/times.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 32 };

struct progress progress_begin(const char *what, bool utf8)
{
    const char *term = getenv("TERM");
    (void)fflush(stdout); /* what was said before comes before */
    const bool dumb = term != NULL && strcmp(term, "dumb") == 0;
    return (struct progress){.what = what,
                             .started_ms = times_monotonic_ms(),
                             .shown = SIZE_MAX,
                             .tty = isatty(STDERR_FILENO) == 1 && !dumb,
                             .utf8 = utf8};
}

static void draw_bar(const struct progress *progress, size_t done, size_t total)
{
    const size_t filled = total == 0 ? BAR_WIDTH : done * BAR_WIDTH / total;
    const int64_t ms = times_monotonic_ms() - progress->started_ms;
    const double rate = ms > 0 ? (double)done * 1000.0 / (double)ms : 0;
    (void)fprintf(stderr, "\r  ");
    for (size_t i = 0; i < BAR_WIDTH; i++) {
        (void)fputs(i < filled ? (progress->utf8 ? "\u2588" : "#")
                               : (progress->utf8 ? "\u2591" : "."),
                    stderr);
    }
    (void)fprintf(stderr, " %zu of %zu %s, %.0f/s\033[K", done, total, progress->what, rate);
    (void)fflush(stderr);
}

void progress_show(void *context, size_t done, size_t total)
{
    struct progress *progress = context;
    if (done == progress->shown) return;
    /* On a pipe: each quarter of the way. */
    const size_t quarter = total / 4 > 0 ? total / 4 : 1;
    const bool crossed = progress->shown == SIZE_MAX ? done > 0 && done >= quarter
                                                     : done / quarter != progress->shown / quarter;
    if (!progress->tty && !crossed && done < total) return;
    progress->shown = done;
    if (progress->tty) {
        draw_bar(progress, done, total);
    } else {
        (void)fprintf(stderr, "  %zu of %zu %s\n", done, total, progress->what);
    }
}

void progress_end(struct progress *progress)
{
    if (progress->tty && progress->shown != SIZE_MAX) (void)fputc('\n', stderr);
    progress->shown = SIZE_MAX;
}
