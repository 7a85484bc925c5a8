/*
 * api/saga_history.c
 *   GET /v1/sagas/{id}/history: what happened, in order.
 *
 * The database keeps one row for each event with its entries packed; here each entry
 * becomes an item with all members of the contract.
 */
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/saga_read.h"
#include "api/text.h"
#include "orchestrator/engine/history_item.h"
#include "sagas/base/json_view.h"
#include "sagas/machine/machine.h"

#include <assert.h>

struct page {
    struct buffer body;
    uint32_t after_seq; /* of the page before */
    size_t limit, count;
    uint32_t last_seq;
    bool has_more;
};

static void add_entry(struct page *page, const struct history_row *row, uint32_t seq,
                      const struct json_view *entry)
{
    if (seq <= page->after_seq || page->has_more) return;
    if (page->count == page->limit) {
        page->has_more = true;
        return;
    }
    if (page->count++ > 0) buffer_add_char(&page->body, ',');
    history_item(&page->body, row, seq, entry);
    buffer_add_char(&page->body, '}');
    page->last_seq = seq;
}

static bool add_row(struct exchange *exchange, struct page *page, const struct history_row *row,
                    struct err *err)
{
    const struct json_view *entries = NULL;
    if (!history_entries(row, &exchange->arena, &entries, err)) return false;
    assert(entries != NULL);
    uint32_t seq = row->seq;
    for (const struct json_view *entry = entries->child; entry != NULL; entry = entry->next) {
        add_entry(page, row, seq++, entry);
    }
    return true;
}

static bool read_after(struct exchange *exchange, uint32_t *ret_seq)
{
    uint64_t seq = 0;
    struct bytes key;
    if (!cursor_read(exchange, &key)) return false;
    if (key.data != NULL && !text_number(key, UINT32_MAX, &seq)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
    }
    *ret_seq = (uint32_t)seq;
    return true;
}

static struct bytes next_cursor(struct exchange *exchange, const struct page *page)
{
    struct buffer key = buffer_in(&exchange->arena);
    if (!page->has_more) return (struct bytes){0};
    buffer_add_format(&key, "%u", page->last_seq);
    return cursor_make(exchange, key.data, key.size);
}

enum handled saga_history(struct exchange *exchange, struct store *store)
{
    struct page page = {.body = buffer_in(&exchange->arena)};
    struct history_row *rows = NULL;
    struct saga *saga = NULL;
    struct uuid id;
    struct err err;
    size_t count = 0;
    if (!exchange_saga_id(exchange, &id) || !cursor_limit(exchange, &page.limit) ||
        !read_after(exchange, &page.after_seq)) {
        return exchange_refused(exchange);
    }
    /* Each row has an entry at least; one more tells whether a page follows. */
    bool right = store_history(store, &id, page.after_seq, page.limit + 1, &exchange->arena, &rows,
                               &count, &err);
    if (right && count == 0) right = saga_read(exchange, store, &id, &saga, &err);
    buffer_add_text(&page.body, "{\"items\":[");
    for (size_t i = 0; i < count && right; i++) {
        right = add_row(exchange, &page, &rows[i], &err);
    }
    if (!right) return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    cursor_close_list(&page.body, next_cursor(exchange, &page));
    return exchange_json(exchange, 200, buffer_bytes(&page.body));
}
