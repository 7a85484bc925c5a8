/*
 * tests/fuzz/fuzz.h
 *   The one function that a fuzz target has. It is called by libFuzzer, or by replay.c
 *   for each file of the corpus; it aborts (assert, sanitizer) when it finds something.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
