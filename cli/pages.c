#include "cli/pages.h"

#include "cli/json.h"
#include "cli/talk.h"

#include <inttypes.h>
#include <stdio.h>

enum { PAGE_MAX = 500 };

bool pages_begin(struct cli *cli, const char *path, int64_t otherwise, struct pages *ret_pages)
{
    int64_t limit = 0;
    if (!arguments_number(&cli->arguments, OPTION_LIMIT, 1, INT64_MAX, otherwise, &limit)) {
        return false;
    }
    if (arguments_has(&cli->arguments, OPTION_ALL)) limit = INT64_MAX;
    *ret_pages = (struct pages){.cli = cli, .path = path, .left = limit};
    return true;
}

enum status pages_next(struct pages *pages, struct answer *ret_answer, bool *ret_more)
{
    *ret_more = false;
    if (pages->left <= 0 || (pages->begun && pages->cursor == NULL)) return STATUS_OK;
    struct arena *arena = &pages->cli->arena;
    struct buffer path = buffer_in(arena);
    char limit[24];
    (void)snprintf(limit, sizeof limit, "%" PRId64,
                   pages->left < PAGE_MAX ? pages->left : (int64_t)PAGE_MAX);
    buffer_add_text(&path, pages->path);
    path_add_query(&path, "limit", limit);
    if (pages->cursor != NULL) path_add_query(&path, "cursor", pages->cursor);

    const struct request request = {.path = path.data};
    const enum status status = client_call(pages->cli->client, &request, arena, ret_answer);
    if (status != STATUS_OK) return status;
    const struct json_view *items = json_value(ret_answer->json, "items");
    if (items == NULL || items->type != VIEW_ARRAY) {
        return tell_error(STATUS_ERROR, "%s: the answer has no `items`; is it sagad?",
                          client_url(pages->cli->client));
    }
    const struct bytes cursor = json_text(ret_answer->json, "next_cursor");
    pages->cursor = cursor.size > 0 ? bytes_copy(arena, cursor).data : NULL;
    pages->more = pages->cursor != NULL;
    pages->begun = true;
    if (pages->left != INT64_MAX) pages->left -= items->count;
    *ret_more = true;
    return STATUS_OK;
}

/* Sagas and dead letters have an id, definitions a name, history rows a seq. */
static void print_id(struct cli *cli, const struct json_view *item)
{
    static const char *const MEMBERS[] = {"id", "name", "seq"};
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
        const struct bytes id = json_plain(json_value(item, MEMBERS[i]), &cli->arena);
        if (id.size == 0) continue;
        (void)printf("%.*s\n", (int)id.size, id.data);
        return;
    }
}

static void print_items(struct cli *cli, const struct json_view *items, pages_row *row,
                        void *context)
{
    for (const struct json_view *each = items->child; each != NULL; each = each->next) {
        if (cli_is_table(cli)) {
            row(context, each);
        } else if (cli->format == FORMAT_JSONL) {
            cli_print_line(cli, each);
        } else {
            print_id(cli, each);
        }
    }
}

/* One page is printed as it came; several are put together from their items' bytes. */
static enum status print_json(struct pages *pages)
{
    struct buffer all = buffer_in(&pages->cli->arena);
    struct answer first = {.http_status = 0};
    size_t page_count = 0;
    for (;;) {
        struct answer answer;
        bool more = false;
        const enum status status = pages_next(pages, &answer, &more);
        if (status != STATUS_OK) return status;
        if (!more) break;
        if (page_count++ == 0) first = answer;
        for (const struct json_view *each = json_items(answer.json, "items"); each != NULL;
             each = each->next) {
            if (all.size > 0) buffer_add_text(&all, ",\n");
            buffer_add_bytes(&all, each->text);
        }
    }
    if (page_count == 1) {
        cli_print_body(first.body);
        return STATUS_OK;
    }
    (void)fputs("{\"items\": [", stdout);
    if (all.data != NULL) (void)fwrite(all.data, 1, all.size, stdout);
    struct buffer cursor = buffer_in(&pages->cli->arena);
    json_write_text(&cursor, pages->cursor);
    (void)printf("], \"next_cursor\": %s}\n", cursor.data);
    return STATUS_OK;
}

enum status pages_print(struct pages *pages, pages_row *row, void *context)
{
    if (pages->cli->format == FORMAT_JSON) return print_json(pages);
    for (;;) {
        struct answer answer;
        bool more = false;
        const enum status status = pages_next(pages, &answer, &more);
        if (status != STATUS_OK || !more) return status;
        print_items(pages->cli, json_value(answer.json, "items"), row, context);
    }
}

enum status pages_print_table(struct pages *pages, pages_row *row, void *context,
                              const struct table *table, const char *none)
{
    struct cli *const cli = pages->cli;
    const enum status status = pages_print(pages, row, context);
    if (status != STATUS_OK || !cli_is_table(cli)) return status;
    if (table_rows(table) == 0) {
        tell("%s", none);
        return STATUS_OK;
    }
    struct buffer out = buffer_in(&cli->arena);
    table_print(table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
    if (pages->more) tell("there are more; --all or --limit N shows them");
    return STATUS_OK;
}
