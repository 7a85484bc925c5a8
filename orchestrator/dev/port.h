/*
 * orchestrator/dev/port.h
 *   Is a TCP port of 127.0.0.1 free? True now may be false in a moment: who needs it tries again.
 */
#ifndef ORCHESTRATOR_DEV_PORT_H
#define ORCHESTRATOR_DEV_PORT_H

#include <stdbool.h>

bool port_is_free(int port);

#endif
