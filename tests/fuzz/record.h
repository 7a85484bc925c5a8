/*
 * tests/fuzz/record.h
 *   A record written as text: one header a line ("name:value", no colon is a null value), an empty
 *   line, the value.
 */
#ifndef TESTS_FUZZ_RECORD_H
#define TESTS_FUZZ_RECORD_H

#include "orchestrator/bus/bus.h"

enum { RECORD_HEADERS_MAX = 64 };

/* Fills the headers and the value of *record; they borrow from `input`. */
void record_of_text(struct bytes input, struct bus_header *headers, struct bus_record *record);

#endif
