/*
 * orchestrator/bus/record.h
 *   What replies and signals have in common: headers by name, and a value that is JSON.
 */
#ifndef ORCHESTRATOR_BUS_RECORD_H
#define ORCHESTRATOR_BUS_RECORD_H

#include "orchestrator/bus/bus.h"

/*
 * The value of a header; absent where there is none, or a null one. False: it is there twice, with
 * different values.
 */
bool record_header(const struct bus_record *record, const char *name, struct bytes *ret_value);

/*
 * The value as JSON of at most 256 KiB and depth 128; absent where it is empty or null. NULL, or
 * what is wrong as one clause for people, in `arena`.
 */
const char *record_payload(const struct bus_record *record, struct arena *arena,
                           struct bytes *ret_payload);

/* The headers as JSON [[name, value], ..], other bytes escaped; for the dead letters. */
struct bytes record_headers_json(const struct bus_record *record, struct arena *arena);

#endif
