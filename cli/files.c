#include "cli/files.h"

#include "cli/talk.h"
#include "sagas/base/json_view.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, JSON_SIZE_MAX = 8 * 1024 * 1024 };

static bool read_all(int file, size_t size_max, struct buffer *buffer)
{
    char chunk[READ_SIZE];
    for (;;) {
        const ssize_t size = read(file, chunk, sizeof chunk);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return false;
        if (size == 0) return true;
        buffer_add(buffer, chunk, (size_t)size);
        if (buffer->size > size_max) {
            errno = EFBIG;
            return false;
        }
    }
}

bool files_read(const char *name, size_t size_max, struct arena *arena, struct bytes *ret_text)
{
    const bool from_stdin = strcmp(name, "-") == 0;
    const int file = from_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    struct buffer buffer = buffer_in(arena);
    const bool done = file >= 0 && read_all(file, size_max, &buffer);
    const int trouble = errno;
    if (!from_stdin && file >= 0) (void)close(file);
    if (!done) {
        tell_error(STATUS_ERROR, "cannot read %s: %s", from_stdin ? "stdin" : name,
                   strerror(trouble));
        return false;
    }
    *ret_text = buffer.data != NULL ? buffer_bytes(&buffer) : BYTES("");
    return true;
}

bool files_read_json(const char *value, struct arena *arena, struct bytes *ret_json)
{
    const char *start = value + strspn(value, " \t\r\n");
    const bool inlined = *start != '\0' && strchr("{[\"", *start) != NULL;
    struct bytes text = bytes_of(value);
    if (!inlined && !files_read(value, JSON_SIZE_MAX, arena, &text)) return false;
    const struct json_view *view = NULL;
    struct json_error error;
    if (!json_view_parse(text, arena, &view, &error)) {
        tell_error(STATUS_USAGE, "%s is no JSON: byte %zu: %s", inlined ? "the value" : value,
                   error.offset, error.what);
        return false;
    }
    *ret_json = view->text;
    return true;
}
