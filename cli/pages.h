/*
 * cli/pages.h
 *   Lists that come page by page: {"items": [...], "next_cursor"}.
 */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include "cli/cli.h"
#include "cli/table.h"

struct pages {
    struct cli *cli;
    const char *path; /* with the filter's query, without limit and cursor */
    int64_t left;     /* items still wanted; INT64_MAX: all */
    const char *cursor;
    bool begun, more; /* more: the last page named a cursor */
};

/* --limit and --all of the command; `otherwise` where neither is given. False: told. */
bool pages_begin(struct cli *cli, const char *path, int64_t otherwise, struct pages *ret_pages);

/*
 * The next page; its items are at most what is left. *ret_answer is untouched at the end, where
 * *ret_more is false. Memory is the command's.
 */
enum status pages_next(struct pages *pages, struct answer *ret_answer, bool *ret_more);

/* Adds one item to a table. */
typedef void pages_row(void *context, const struct json_view *item);

/*
 * Print the whole list in the command's format: tables by `row`, which fills a table that the
 * caller prints; json as one document with the server's bytes of each item; jsonl and id by page.
 */
enum status pages_print(struct pages *pages, pages_row *row, void *context);
/* The same, and the table that `row` fills is printed too; `none` is said when it stays empty. */
enum status pages_print_table(struct pages *pages, pages_row *row, void *context,
                              const struct table *table, const char *none);

#endif
