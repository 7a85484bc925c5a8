/*
 * tests/integration/test_bus_stand.c
 *   See test_bus_stand.h.
 */
#include "tests/integration/test_bus_stand.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct place place;
struct desk desk, other_desk;

int at_the_embedded_broker(void **state)
{
    (void)state;
    place_open_embedded(&place);
    desk_open(&desk);
    desk_open(&other_desk);
    return 0;
}

int at_a_real_broker(void **state)
{
    (void)state;
    desk_open(&desk);
    desk_open(&other_desk);
    if (!place_open_kafka(&place)) {
        print_message("             KAFKA_BROKERS is not set: no real broker to test against\n");
    }
    return 0;
}

int leave(void **state)
{
    (void)state;
    desk_close(&desk);
    desk_close(&other_desk);
    place_close(&place);
    return 0;
}

void need_a_broker(void)
{
    if (place.brokers == NULL) skip();
}

void send_reply(struct bus *bus, const char *key, const char *value)
{
    const struct bus_header headers[] = {
        {BYTES("ce_sagaoutcome"), BYTES("success")},
        {BYTES("x-null"),         {0}             },
    };
    const struct bus_record record = {.topic = bytes_of(bus_reply_topic(bus)),
                                      .key = bytes_of(key),
                                      .value = bytes_of(value),
                                      .headers = headers,
                                      .header_count = 2};
    assert_true(bus_send_record(bus, &record));
}
