/*
 * cli/table.h
 *   Aligned columns. The last column is cut at the window's edge on a terminal.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/terminal.h"

enum { TABLE_COLUMNS_MAX = 16 };

struct table {
    struct arena *arena;
    const char *heading[TABLE_COLUMNS_MAX];
    size_t column_count;
    struct table_cell *cell; /* row after row */
    size_t cell_count, cell_capacity;
};

struct table table_in(struct arena *arena);
void table_column(struct table *table, const char *heading);
/* The next cell, row by row; the text is borrowed. Absent and empty show as "-". */
void table_add(struct table *table, enum style style, struct bytes text);
void table_add_text(struct table *table, enum style style, const char *text); /* copied */
size_t table_rows(const struct table *table);
/* Headings and rows, each line with `indent` before it. Columns empty in all rows are left out. */
void table_print(const struct table *table, const struct terminal *terminal, const char *indent,
                 struct buffer *buffer);

#endif
