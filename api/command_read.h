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

#endif
