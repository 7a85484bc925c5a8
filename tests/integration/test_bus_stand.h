/*
 * tests/integration/test_bus_stand.h
 *   Where each test of the bus begins: one broker, and two desks to stand at.
 */
#ifndef TESTS_INTEGRATION_TEST_BUS_STAND_H
#define TESTS_INTEGRATION_TEST_BUS_STAND_H

#include "tests/integration/test_bus_desk.h"

extern struct place place;
extern struct desk desk, other_desk;

/* Before and after each test. */
int at_the_embedded_broker(void **state);
int at_a_real_broker(void **state);
int leave(void **state);
#define TEST(name, arrive) cmocka_unit_test_setup_teardown(name, arrive, leave)

/* Skips the test where there is no real broker. */
void need_a_broker(void);

/* A reply with this key and value and two headers, one of them null. */
void send_reply(struct bus *bus, const char *key, const char *value);

#endif
