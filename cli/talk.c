#include "cli/talk.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

enum { LINE_SIZE_MAX = 4096 }; /* longer talk is cut */

/* A server's text must not steer the terminal: C0, DEL, and C1 as UTF-8 spells it. */
static void make_harmless(char *line)
{
    for (unsigned char *c = (unsigned char *)line; *c != '\0'; c++) {
        const bool second = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
        if (second) c[1] = ' ';
        if (second || *c < ' ' || *c == 0x7f) *c = ' ';
    }
}

__attribute__((format(printf, 2, 0))) static void say(const char *prefix, const char *format,
                                                      va_list arguments)
{
    char line[LINE_SIZE_MAX];
    const int size = vsnprintf(line, sizeof line, format, arguments);
    if (size < 0) return;
    make_harmless(line);
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s%s\n", prefix, line);
}

void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

enum status tell_error(enum status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("sagactl: ", format, arguments);
    va_end(arguments);
    return status;
}

enum status status_first(enum status a, enum status b)
{
    return a != STATUS_OK ? a : b;
}
