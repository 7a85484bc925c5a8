/*
 * orchestrator/bus/signal.c
 *   See signal.h.
 */
#include "orchestrator/bus/signal.h"

#include "orchestrator/bus/record.h"
#include "sagas/base/utf8.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

enum { SOURCE_SIZE_MAX = 200 };

bool signal_is_one(const struct bus_record *record)
{
    static const struct bytes NAME = BYTES("saga.signals");
    const struct bytes topic = record->topic;
    return topic.size >= NAME.size &&
           memcmp(topic.data + topic.size - NAME.size, NAME.data, NAME.size) == 0;
}

void signal_set_key(struct event *event, struct bytes key)
{
    event->key = key;
    if (key.data == NULL) return;
    (void)crypto_generichash(event->key_digest, sizeof event->key_digest, (const uint8_t *)key.data,
                             key.size, NULL, 0);
}

static bool is_text(struct bytes text, size_t size_max)
{
    return text.size > 0 && text.size <= size_max && memchr(text.data, '\0', text.size) == NULL &&
           utf8_valid(text);
}

/* The readers return NULL, or what is wrong. */

static const char *read_saga_id(const struct bus_record *record, struct uuid *ret_id)
{
    struct bytes subject;
    struct uuid id;
    if (!record_header(record, "ce_subject", &subject)) return "ce_subject is there twice";
    if (subject.data == NULL) return "ce_subject is missing";
    if (!uuid_parse(subject, &id)) return "ce_subject is no id of a saga";
    *ret_id = id;
    return NULL;
}

static const char *read_name(const struct bus_record *record, struct event *event)
{
    if (!record_header(record, "ce_type", &event->name)) return "ce_type is there twice";
    return event->name.size == 0 ? "ce_type is missing" : NULL;
}

static const char *read_key(const struct bus_record *record, struct event *event)
{
    struct bytes id;
    if (!record_header(record, "ce_id", &id)) return "ce_id is there twice";
    if (id.size == 0) return "ce_id is missing";
    if (!is_text(id, SIGNAL_ID_SIZE_MAX)) return "ce_id is no text of at most 255 bytes";
    signal_set_key(event, id);
    return NULL;
}

/* Who: nothing proves what ce_source says, and the history does not hide that. Why: which record.
 */
static void tell_origin(const struct bus_record *record, struct arena *arena, struct event *event)
{
    struct buffer actor = buffer_in(arena);
    struct buffer reason = buffer_in(arena);
    struct bytes source = {0};
    buffer_add_text(&actor, "kafka");
    if (record_header(record, "ce_source", &source) && is_text(source, SOURCE_SIZE_MAX)) {
        buffer_add_char(&actor, ':');
        buffer_add_bytes(&actor, source);
    }
    buffer_add_bytes(&reason, record->topic);
    buffer_add_format(&reason, "/%" PRId32 "/%" PRId64, record->partition, record->offset);
    event->actor = buffer_bytes(&actor);
    event->reason = buffer_bytes(&reason);
}

bool signal_read(const struct bus_record *record, struct arena *arena,
                 struct signal_record *ret_signal)
{
    struct signal_record signal = {
        .event = {.kind = EVENT_SIGNAL, .step = -1, .index = INDEX_NONE}
    };
    signal.what = read_saga_id(record, &signal.saga_id);
    if (signal.what == NULL) signal.what = read_name(record, &signal.event);
    if (signal.what == NULL) signal.what = read_key(record, &signal.event);
    if (signal.what == NULL) signal.what = record_payload(record, arena, &signal.event.payload);
    if (signal.what == NULL) tell_origin(record, arena, &signal.event);
    *ret_signal = signal;
    return signal.what == NULL;
}
