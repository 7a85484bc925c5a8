/*
 * api/pulse.h
 *   Does PostgreSQL answer? Asked once a second on a connection of its own, so that readiness
 * neither waits for the database nor depends on there being work.
 */
#ifndef API_PULSE_H
#define API_PULSE_H

#include <stdbool.h>

struct pulse;

struct pulse *pulse_start(const char *database_url, const char *namespace_name);
void pulse_stop(struct pulse *pulse); /* NULL is fine */
/* It answered within the last seconds. Thread-safe. */
bool pulse_is_up(struct pulse *pulse);

#endif
