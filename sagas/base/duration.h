/*
 * sagas/base/duration.h
 *   Durations as definitions and headers write them.
 *
 * `500ms`, `30s`, `1h30m`, `1d2h3m4s5ms` (1 to 5 parts, units ms s m h d) or ISO 8601
 * `PT1H30M`, `P1D`, `PT0.5S`. At most 10 years (3,650 days). Parts come in any order, as the
 * schema has them; what is finer than a millisecond is cut off. (contracts, section 1)
 */
#ifndef SAGAS_BASE_DURATION_H
#define SAGAS_BASE_DURATION_H

#include "sagas/base/bytes.h"

#include <stdint.h>

bool duration_parse(struct bytes text, uint64_t *ret_ms);

#endif
