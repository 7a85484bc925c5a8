#include "cli/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const ESCAPES[] = {
    [STYLE_PLAIN] = "",        [STYLE_GOOD] = "\033[32m", [STYLE_BAD] = "\033[31m",
    [STYLE_WARN] = "\033[33m", [STYLE_BUSY] = "\033[36m", [STYLE_DIM] = "\033[2m",
    [STYLE_BOLD] = "\033[1m",
};

struct terminal terminal_of_stdout(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    struct terminal terminal = {.tty = isatty(STDOUT_FILENO) == 1};
    if (term != NULL && strcmp(term, "dumb") == 0) terminal.tty = false;
    terminal.colour = terminal.tty && (no_color == NULL || *no_color == '\0');
    if (setlocale(LC_CTYPE, "") != NULL) terminal.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    terminal_measure(&terminal);
    return terminal;
}

void terminal_measure(struct terminal *terminal)
{
    struct winsize size;
    if (!terminal->tty || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return;
    terminal->columns = size.ws_col;
    terminal->rows = size.ws_row;
}

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

size_t terminal_width(struct bytes text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.size; i++) {
        width += starts_character(text.data[i]) ? 1 : 0;
    }
    return width;
}

/* C0, DEL and the C1 controls that UTF-8 spells 0xc2 0x80..0x9f. */
static bool is_control(struct bytes text, size_t at)
{
    const unsigned char c = (unsigned char)text.data[at];
    if (c < ' ' || c == 0x7f) return true;
    return c == 0xc2 && at + 1 < text.size && (unsigned char)text.data[at + 1] < 0xa0;
}

/* At most `room` characters, controls replaced. */
static void add_clean(struct buffer *buffer, struct bytes text, size_t room)
{
    for (size_t i = 0; i < text.size; i++) {
        if (starts_character(text.data[i]) && room-- == 0) return;
        const bool control = is_control(text, i);
        if (control) {
            buffer_add_char(buffer, ' ');
        } else {
            buffer_add_char(buffer, text.data[i]);
        }
        if (control && (unsigned char)text.data[i] == 0xc2) i++;
    }
}

void terminal_add_text(struct buffer *buffer, const struct terminal *terminal, enum style style,
                       struct bytes text, size_t width)
{
    const bool coloured = terminal->colour && style != STYLE_PLAIN;
    const bool cut = width > 0 && terminal_width(text) > width;
    if (coloured) buffer_add_text(buffer, ESCAPES[style]);
    add_clean(buffer, text, cut ? width - 1 : SIZE_MAX);
    if (cut) buffer_add_text(buffer, terminal->utf8 ? "\u2026" : "~");
    if (coloured) buffer_add_text(buffer, "\033[0m");
}

void terminal_put(struct bytes text)
{
    (void)fwrite(text.data, 1, text.size, stdout);
    (void)fflush(stdout);
}
