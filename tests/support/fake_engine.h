/*
 * tests/support/fake_engine.h
 *   A second implementation of engine.h and registry.h, in memory: sagas live until the engine is
 *   closed, nothing is stored or sent. The linker picks one.
 *
 * Requests are answered by threads of its own, as the real one does. A test can make it answer
 * with any result, or hold its answers back.
 */
#ifndef TESTS_SUPPORT_FAKE_ENGINE_H
#define TESTS_SUPPORT_FAKE_ENGINE_H

#include "orchestrator/engine/engine.h"

enum { FAKE_ENGINE_THREADS = 2 };

struct engine *fake_engine_new(void);
/* Answers what is held, then its threads end. */
void fake_engine_stop(struct engine *engine);
/* Stopped, and nobody uses it any more. */
void fake_engine_free(struct engine *engine);
/* Every request from now on gets this result without being carried out; RESULT_DONE: carry it out.
 */
void fake_engine_say(struct engine *engine, enum request_result result);
/* Keep requests until fake_engine_release. */
void fake_engine_hold(struct engine *engine);
void fake_engine_release(struct engine *engine);
/* Requests that wait to be answered. */
size_t fake_engine_waiting(struct engine *engine);
/* Starts carried out so far. */
size_t fake_engine_started(struct engine *engine);

#endif
