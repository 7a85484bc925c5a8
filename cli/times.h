/*
 * cli/times.h
 *   Times and durations as people read them.
 */
#ifndef CLI_TIMES_H
#define CLI_TIMES_H

#include "sagas/base/bytes.h"

#include <stdint.h>

enum { TIMES_TEXT_SIZE = 32 };

int64_t times_now_ms(void);       /* Unix ms */
int64_t times_monotonic_ms(void); /* for waiting */
void times_sleep_ms(int64_t ms);

/* RFC 3339 to Unix ms; 0 when it is absent or no time. */
int64_t times_parse(struct bytes text);
/* "2026-01-02T03:04:05.678Z" */
void times_print(int64_t at_ms, char ret_text[TIMES_TEXT_SIZE]);
/* "03:04:05.678", UTC. */
void times_clock(int64_t at_ms, char ret_text[TIMES_TEXT_SIZE]);
/* "just now", "2m ago", "in 3s"; "-" for 0. */
void times_ago(int64_t now_ms, int64_t at_ms, char ret_text[TIMES_TEXT_SIZE]);
/* "84 ms", "1.4 s", "2m 03s", "3h 12m", "5d 4h". */
void times_span(int64_t span_ms, char ret_text[TIMES_TEXT_SIZE]);

#endif
