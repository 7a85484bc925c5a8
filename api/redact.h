/*
 * api/redact.h
 *   Payloads as they may be shown: what the definition's `redact` points at is masked, every other
 *   byte is as it was.
 */
#ifndef API_REDACT_H
#define API_REDACT_H

#include "sagas/definition/definition.h"

/* What stands for a masked value: a JSON string. */
#define REDACTED "\"[redacted]\""

/* `root` is the payload's place: "/input", "/output" or "/steps/<id>/output". Absent writes null.
 */
void redact_write(struct buffer *buffer, const struct definition *definition, struct bytes root,
                  struct bytes payload);
/*
 * The same for the output of one item of a foreach: a pointer below the step's output speaks of
 * every item, or of one where it begins with the index.
 */
void redact_write_item(struct buffer *buffer, const struct definition *definition,
                       struct bytes root, int32_t index, struct bytes payload);

#endif
