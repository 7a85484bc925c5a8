#include "cli/talk.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_SIZE_MAX = 4096 }; /* longer talk is cut */

__attribute__((format(printf, 2, 0))) static void say(const char *prefix, const char *format,
                                                      va_list arguments)
{
    char line[LINE_SIZE_MAX];
    const int size = vsnprintf(line, sizeof line, format, arguments);
    if (size < 0) return;
    /* A server's text must not steer the terminal. */
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
    }
    fflush(stdout);
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
