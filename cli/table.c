#include "cli/table.h"

#include <assert.h>
#include <string.h>

enum { GAP = 2, LAST_WIDTH_MIN = 10 };

struct table_cell {
    struct bytes text;
    enum style style;
};

struct table table_in(struct arena *arena)
{
    return (struct table){.arena = arena};
}

void table_column(struct table *table, const char *heading)
{
    assert(table->column_count < TABLE_COLUMNS_MAX && table->cell_count == 0);
    table->heading[table->column_count++] = heading;
}

void table_add(struct table *table, enum style style, struct bytes text)
{
    if (table->cell_count == table->cell_capacity) {
        const size_t capacity = table->cell_capacity == 0 ? 64 : table->cell_capacity * 2;
        struct table_cell *grown = arena_array(table->arena, capacity, sizeof *grown);
        if (table->cell_count > 0) memcpy(grown, table->cell, table->cell_count * sizeof *grown);
        table->cell = grown;
        table->cell_capacity = capacity;
    }
    table->cell[table->cell_count++] = (struct table_cell){.text = text, .style = style};
}

void table_add_text(struct table *table, enum style style, const char *text)
{
    table_add(table, style, bytes_copy(table->arena, bytes_of(text)));
}

size_t table_rows(const struct table *table)
{
    return table->column_count == 0 ? 0 : table->cell_count / table->column_count;
}

static const struct table_cell *cell_at(const struct table *table, size_t row, size_t column)
{
    return &table->cell[row * table->column_count + column];
}

/* Widest text of a column; 0 when all of its cells are empty. */
static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = 0;
    for (size_t row = 0; row < table_rows(table); row++) {
        const size_t width = terminal_width(cell_at(table, row, column)->text);
        if (width > widest) widest = width;
    }
    const size_t heading = strlen(table->heading[column]);
    return widest == 0 ? 0 : widest > heading ? widest : heading;
}

static void pad(struct buffer *buffer, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        buffer_add_char(buffer, ' ');
    }
}

struct layout {
    size_t width[TABLE_COLUMNS_MAX]; /* 0: left out */
    size_t last;                     /* the last column shown */
    size_t last_limit;               /* of the last column; 0: none */
};

static struct layout lay_out(const struct table *table, const struct terminal *terminal,
                             size_t indent)
{
    struct layout layout = {.last = 0};
    for (size_t i = 0; i < table->column_count; i++) {
        layout.width[i] =
            i == 0 && table_rows(table) == 0 ? strlen(table->heading[0]) : column_width(table, i);
        if (layout.width[i] > 0) layout.last = i;
    }
    if (terminal->columns == 0) return layout;
    size_t used = indent;
    for (size_t i = 0; i < layout.last; i++) {
        used += layout.width[i] > 0 ? layout.width[i] + GAP : 0;
    }
    const size_t columns = (size_t)terminal->columns;
    layout.last_limit = used + LAST_WIDTH_MIN < columns ? columns - used : LAST_WIDTH_MIN;
    return layout;
}

static void print_cell(struct buffer *buffer, const struct terminal *terminal,
                       const struct layout *layout, size_t column, struct table_cell cell)
{
    if (layout->width[column] == 0) return;
    const struct bytes text = cell.text.size == 0 ? BYTES("-") : cell.text;
    const enum style style = cell.text.size == 0 ? STYLE_DIM : cell.style;
    const bool last = column == layout->last;
    terminal_add_text(buffer, terminal, style, text, last ? layout->last_limit : 0);
    if (!last) pad(buffer, layout->width[column] + GAP - terminal_width(text));
}

void table_print(const struct table *table, const struct terminal *terminal, const char *indent,
                 struct buffer *buffer)
{
    const struct layout layout = lay_out(table, terminal, strlen(indent));
    buffer_add_text(buffer, indent);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct table_cell heading = {bytes_of(table->heading[i]), STYLE_DIM};
        print_cell(buffer, terminal, &layout, i, heading);
    }
    buffer_add_char(buffer, '\n');
    for (size_t row = 0; row < table_rows(table); row++) {
        buffer_add_text(buffer, indent);
        for (size_t i = 0; i < table->column_count; i++) {
            print_cell(buffer, terminal, &layout, i, *cell_at(table, row, i));
        }
        buffer_add_char(buffer, '\n');
    }
}
