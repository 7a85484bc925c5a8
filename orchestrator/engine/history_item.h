/*
 * orchestrator/engine/history_item.h
 *   Entries of a history as JSON: for whoever reads it and whoever hears of it.
 */
#ifndef ORCHESTRATOR_ENGINE_HISTORY_ITEM_H
#define ORCHESTRATOR_ENGINE_HISTORY_ITEM_H

#include "orchestrator/store/event_rows.h"
#include "sagas/base/json_view.h"
#include "sagas/definition/definition.h"

/* The entries of a row as a JSON array. ERR_INTERNAL: damaged. */
bool history_entries(const struct history_row *row, struct arena *arena,
                     const struct json_view **ret_entries, struct err *err);
/* Open: the caller closes the object. */
void history_item(struct buffer *body, const struct history_row *row, uint32_t seq,
                  const struct json_view *entry);

/* An event among those of all sagas: the item, and whose it is. */
void history_event(struct buffer *body, const struct event_row *row, uint32_t seq,
                   const struct json_view *entry, const struct definition *definition,
                   const char *namespace_name);

#endif
