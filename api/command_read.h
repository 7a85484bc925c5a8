/*
 * api/command_read.h
 *   An operator's command as it is asked for: path, query, If-Match and body.
 */
#ifndef API_COMMAND_READ_H
#define API_COMMAND_READ_H

#include "api/exchange.h"
#include "orchestrator/engine/engine.h"

/* False: refused. Bytes borrow from the exchange. */
bool command_read(struct exchange *exchange, struct command_request *ret_command);
/* A signal is once by its Idempotency-Key, wherever it comes from. */
void command_name_signal(struct exchange *exchange, struct bytes name, struct event *event);
/* Payload and reason of an EVENT_SIGNAL; NULL: not there. False: refused. */
bool command_read_signal(struct refusal *refusal, const struct json_view *payload,
                         const struct json_view *reason, struct event *event);

/* The revision of If-Match; *ret_has stays as it is without one, or with `*`. False: refused. */
bool command_if_match(struct exchange *exchange, bool *ret_has, uint32_t *ret_revision);
/* A member `reason`, NULL: none, then *ret_reason stays as it is. False: refused. */
bool command_reason(struct refusal *refusal, const struct json_view *reason,
                    struct bytes *ret_reason);

#endif
