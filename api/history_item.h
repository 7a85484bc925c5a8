/*
 * api/history_item.h
 *   Entries of a history as JSON: for the history and the export. In saga_history.c.
 */
#ifndef API_HISTORY_ITEM_H
#define API_HISTORY_ITEM_H

#include "orchestrator/store/store.h"
#include "sagas/base/json_view.h"

/* The entries of a row as a JSON array. ERR_INTERNAL: damaged. */
bool history_entries(const struct history_row *row, struct arena *arena,
                     const struct json_view **ret_entries, struct err *err);
/* Open: the caller closes the object. */
void history_item(struct buffer *body, const struct history_row *row, uint32_t seq,
                  const struct json_view *entry);

#endif
