#include "sagas/expression/complaint.h"

#include <stdio.h>
#include <string.h>

bool complain_list(struct expression_error *error, const char *format, va_list arguments)
{
    (void)vsnprintf(error->detail, sizeof(error->detail), format, arguments);

    char *at = error->detail;
    char *const end = at + strlen(at);
    while (at < end) {
        const size_t size = utf8_size(at, end);
        if (size == 0 || (unsigned char)*at < 0x20 || *at == 0x7f) *at = '?';
        at += size == 0 ? 1 : size;
    }
    return false;
}

bool complain(struct expression_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain_list(error, format, arguments);
    va_end(arguments);
    return false;
}
