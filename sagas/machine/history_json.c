/*
 * sagas/machine/history_json.c
 *   The history as people read it.
 */
#include "sagas/machine/history_entry.h"
#include "sagas/machine/machine.h"
#include "sagas/machine/pack.h"

#include "sagas/base/json_view.h"

#include <string.h>

/* clang-format off */
const struct history_member HISTORY_MEMBERS[MEMBER_COUNT] = {
    [MEMBER_STEP]            = {"step",            MEMBER_IS_TEXT,      false},
    [MEMBER_INDEX]           = {"index",           MEMBER_IS_NUMBER,    false},
    [MEMBER_OP]              = {"op",              MEMBER_IS_DIRECTION, false},
    [MEMBER_ATTEMPT]         = {"attempt",         MEMBER_IS_NUMBER,    false},
    [MEMBER_ACTOR]           = {"actor",           MEMBER_IS_TEXT,      false},
    [MEMBER_VERB]            = {"verb",            MEMBER_IS_TEXT,      true },
    [MEMBER_OUTCOME]         = {"outcome",         MEMBER_IS_TEXT,      true },
    [MEMBER_REASON]          = {"reason",          MEMBER_IS_TEXT,      true },
    [MEMBER_CODE]            = {"code",            MEMBER_IS_TEXT,      true },
    [MEMBER_TEXT]            = {"detail",          MEMBER_IS_TEXT,      true },
    [MEMBER_PROGRESS]        = {"progress",        MEMBER_IS_JSON,      true },
    [MEMBER_MESSAGE]         = {"message",         MEMBER_IS_TEXT,      true },
    [MEMBER_STATE]           = {"state",           MEMBER_IS_TEXT,      true },
    [MEMBER_PAUSED]          = {"paused",          MEMBER_IS_TRUE,      true },
    [MEMBER_AGAIN]           = {"again",           MEMBER_IS_TRUE,      true },
    [MEMBER_STATED]          = {"stated",          MEMBER_IS_TRUE,      true },
    [MEMBER_ITEMS]           = {"items",           MEMBER_IS_NUMBER,    true },
    [MEMBER_DELAY_MS]        = {"delay_ms",        MEMBER_IS_NUMBER,    true },
    [MEMBER_NEXT_ATTEMPT_AT] = {"next_attempt_at", MEMBER_IS_TIME,      true },
    [MEMBER_DEADLINE_AT]     = {"deadline_at",     MEMBER_IS_TIME,      true },
    [MEMBER_START_AT]        = {"start_at",        MEMBER_IS_TIME,      true },
    [MEMBER_NAME]            = {"name",            MEMBER_IS_TEXT,      true },
    [MEMBER_KEY]             = {"key",             MEMBER_IS_TEXT,      true },
    [MEMBER_FORKED_FROM]     = {"forked_from",     MEMBER_IS_TEXT,      true },
    [MEMBER_FROM_STEP]       = {"from_step",       MEMBER_IS_TEXT,      true },
    [MEMBER_VERSION_BEFORE]  = {"version_before",  MEMBER_IS_NUMBER,    true },
    [MEMBER_VERSION]         = {"version",         MEMBER_IS_NUMBER,    true },
    [MEMBER_STEP_MAP]        = {"step_map",        MEMBER_IS_JSON,      true },
    [MEMBER_EFFECT]          = {"effect",          MEMBER_IS_JSON,      true },
};
/* clang-format on */

const char *const HISTORY_TYPES[HISTORY_TYPES_MAX] = {
    "step.dispatched",   "step.succeeded",       "saga.created",
    "saga.started",      "saga.succeeded",       "step.failed",
    "step.unknown",      "step.retry_scheduled", "step.skipped",
    "step.ready",        "step.progress",        "step.pending",
    "saga.compensating", "saga.compensated",     "saga.stuck",
    "saga.paused",       "saga.resumed",         "saga.cancel_requested",
    "saga.overdue",      "saga.terminated",      "operator.command",
    "reply.ignored",     "step.signal_received", "saga.migrated",
    "saga.lock_queued",  "saga.lock_granted",
};

static void write_member(struct unpacker *in, const struct history_member *member,
                         struct buffer *json)
{
    if (json->data[json->size - 1] != '{') buffer_add_char(json, ',');
    buffer_add_char(json, '"');
    buffer_add_text(json, member->name);
    buffer_add_text(json, "\":");
    switch (member->kind) {
    case MEMBER_IS_TEXT: json_write_string(json, unpack_bytes(in, SIZE_MAX)); break;
    case MEMBER_IS_JSON: buffer_add_bytes(json, unpack_bytes(in, SIZE_MAX)); break;
    case MEMBER_IS_NUMBER: json_write_int(json, (int64_t)unpack_number(in)); break;
    case MEMBER_IS_TIME: json_write_time(json, (int64_t)unpack_number(in)); break;
    case MEMBER_IS_TRUE: buffer_add_text(json, "true"); break;
    case MEMBER_IS_DIRECTION:
        json_write_text(json, op_name((enum op)unpack_limited(in, OP_PROBE, "no such direction")));
        break;
    }
}

static void skip_member(struct unpacker *in, enum member_kind kind)
{
    switch (kind) {
    case MEMBER_IS_TEXT:
    case MEMBER_IS_JSON: (void)unpack_bytes(in, SIZE_MAX); break;
    case MEMBER_IS_NUMBER:
    case MEMBER_IS_TIME:
    case MEMBER_IS_DIRECTION: (void)unpack_number(in); break;
    case MEMBER_IS_TRUE: break;
    }
}

static bool is_saga_type(uint32_t type)
{
    static const char SAGA[] = "saga.";
    return type < HISTORY_TYPES_MAX && HISTORY_TYPES[type] != NULL &&
           strncmp(HISTORY_TYPES[type], SAGA, sizeof SAGA - 1) == 0;
}

bool history_tells_of_saga(struct bytes entries)
{
    struct unpacker in = unpacker_of(entries);
    if (unpack_number(&in) != HISTORY_FORMAT) return true;
    while (in.at != in.end && in.what == NULL) {
        if (is_saga_type((uint32_t)unpack_number(&in))) return true;
        const uint64_t has = unpack_number(&in);
        for (unsigned i = 0; i < MEMBER_COUNT; i++) {
            if ((has & 1U << i) != 0) skip_member(&in, HISTORY_MEMBERS[i].kind);
        }
    }
    return in.what != NULL;
}

bool history_knows_type(struct bytes type)
{
    for (size_t i = 0; i < HISTORY_TYPES_MAX && HISTORY_TYPES[i] != NULL; i++) {
        if (bytes_equal_text(type, HISTORY_TYPES[i])) return true;
    }
    return false;
}

static void write_entry(struct unpacker *in, struct buffer *json)
{
    const uint32_t type = unpack_limited(in, HISTORY_TYPES_MAX - 1, "no such type of entry");
    const uint32_t has = unpack_limited(in, (1U << MEMBER_COUNT) - 1, "no such member");
    if (HISTORY_TYPES[type] == NULL) (void)unpack_damaged(in, "no such type of entry");
    buffer_add_text(json, "{\"type\":");
    json_write_text(json, HISTORY_TYPES[type]);
    bool in_detail = false;
    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        if ((has & 1U << i) == 0) continue;
        if (HISTORY_MEMBERS[i].in_detail && !in_detail) buffer_add_text(json, ",\"detail\":{");
        in_detail = HISTORY_MEMBERS[i].in_detail;
        write_member(in, &HISTORY_MEMBERS[i], json);
    }
    buffer_add_text(json, in_detail ? "}}" : "}");
}

bool history_write_json(struct bytes entries, struct buffer *json, const char **ret_what)
{
    struct unpacker in = unpacker_of(entries);
    if (entries.size > 0 && entries.data[0] == '[') { /* written before entries were packed */
        buffer_add_bytes(json, entries);
        return true;
    }
    if (unpack_number(&in) != HISTORY_FORMAT) {
        (void)unpack_damaged(&in, "the format is newer than this program");
    }
    buffer_add_char(json, '[');
    for (bool first = true; in.at != in.end; first = false) {
        if (!first) buffer_add_char(json, ',');
        write_entry(&in, json);
    }
    buffer_add_char(json, ']');
    *ret_what = in.what;
    return in.what == NULL;
}
