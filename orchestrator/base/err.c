#include "orchestrator/base/err.h"

#include <stdarg.h>
#include <stdio.h>

bool err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    err->kind = kind;
    (void)vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    return false;
}
