/*
 * api/failure_id.h
 *   The id of a group of failures: the key under which the store finds it, as a text.
 */
#ifndef API_FAILURE_ID_H
#define API_FAILURE_ID_H

#include "orchestrator/store/failure.h"
#include "orchestrator/store/store.h"

void failure_id_write(struct buffer *buffer, const struct failure_group *group);
/* False: no id of ours. */
bool failure_id_read(struct bytes id, enum failure_state *ret_state, int64_t *ret_definition_id,
                     int64_t *ret_key);

#endif
