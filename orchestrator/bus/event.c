#include "orchestrator/bus/event.h"

#include "sagas/base/json_view.h"

#include <stdio.h>

enum { HEADERS = 9, ID_TEXT_SIZE = UUID_TEXT_SIZE + 12 };

static void add(rd_kafka_headers_t *headers, const char *name, struct bytes value)
{
    rd_kafka_header_add(headers, name, -1, value.data, (ssize_t)value.size);
}

rd_kafka_headers_t *event_headers(const char *source, const struct bus_event *event)
{
    rd_kafka_headers_t *const headers = rd_kafka_headers_new(HEADERS);
    char subject[UUID_TEXT_SIZE];
    char id[ID_TEXT_SIZE];
    char time[TIME_TEXT_SIZE];
    uuid_print(&event->saga_id, subject);
    (void)snprintf(id, sizeof id, "%s/%u", subject, event->seq);
    add(headers, "content-type", BYTES("application/json"));
    add(headers, "ce_specversion", BYTES("1.0"));
    add(headers, "ce_id", bytes_of(id));
    add(headers, "ce_source", bytes_of(source));
    add(headers, "ce_type", event->type);
    add(headers, "ce_time", (struct bytes){time, time_print(event->at_ms, time)});
    add(headers, "ce_subject", bytes_of(subject));
    add(headers, "ce_sagadef", event->definition);
    if (event->step.data != NULL) add(headers, "ce_sagastep", event->step);
    return headers;
}
