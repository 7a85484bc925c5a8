/*
 * cli/terminal.h
 *   What the other end of stdout can show: colours, a width, UTF-8.
 *
 * On a pipe there is neither colour nor cursor movement, whatever the environment says.
 * Text of the server passes terminal_add_text, which leaves no control character.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "sagas/base/bytes.h"

enum style { STYLE_PLAIN, STYLE_GOOD, STYLE_BAD, STYLE_WARN, STYLE_BUSY, STYLE_DIM, STYLE_BOLD };

struct terminal {
    bool tty;    /* cursor movement works */
    bool colour; /* a terminal, and NO_COLOR is not set */
    bool utf8;
    int columns, rows; /* 0: no limit */
};

struct terminal terminal_of_stdout(void);
/* Read the window's size again. */
void terminal_measure(struct terminal *terminal);

/* Columns that the text takes. */
size_t terminal_width(struct bytes text);
/* Append the text in a style, cut to `width` columns (0: whole). */
void terminal_add_text(struct buffer *buffer, const struct terminal *terminal, enum style style,
                       struct bytes text, size_t width);
/* Write to stdout at once. */
void terminal_put(struct bytes text);

#endif
