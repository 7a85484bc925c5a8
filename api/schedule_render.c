#include "api/schedule_render.h"
#include "orchestrator/store/schedule_rows.h"

#include "api/redact.h"
#include "api/server.h"
#include "orchestrator/engine/registry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void add_member(struct buffer *body, const char *name)
{
    buffer_add_format(body, ",\"%s\":", name);
}

static void add_time(struct buffer *body, const char *name, int64_t at_ms)
{
    add_member(body, name);
    json_write_time(body, at_ms);
}

static void add_bytes(struct buffer *body, const char *name, struct bytes text)
{
    add_member(body, name);
    if (text.data == NULL) {
        buffer_add_text(body, "null");
    } else {
        json_write_string(body, text);
    }
}

static void add_id(struct buffer *body, const char *name, const struct uuid *id)
{
    static const struct uuid NONE;
    char text[UUID_TEXT_SIZE];
    uuid_print(id, text);
    add_member(body, name);
    json_write_text(body, uuid_equal(id, &NONE) ? NULL : text);
}

static void add_definition(struct buffer *body, const struct schedule_row *row)
{
    if (row->version == 0) {
        add_bytes(body, "definition", row->definition);
        return;
    }
    add_member(body, "definition");
    buffer_add_text(body, "{\"name\":");
    json_write_string(body, row->definition);
    buffer_add_format(body, ",\"version\":%u}", row->version);
}

/* In the largest unit that divides it. */
static void add_duration(struct buffer *body, const char *name, int64_t duration_ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } UNITS[] = {
        {86400000, "d" },
        {3600000,  "h" },
        {60000,    "m" },
        {1000,     "s" },
        {1,        "ms"},
    };
    size_t unit = 0;
    while (duration_ms % UNITS[unit].ms != 0) {
        unit++;
    }
    add_member(body, name);
    buffer_add_format(body, "\"%" PRId64 "%s\"", duration_ms / UNITS[unit].ms, UNITS[unit].name);
}

static void add_error(struct buffer *body, const struct schedule_row *row)
{
    add_member(body, "last_error");
    if (row->error_at_ms == 0) {
        buffer_add_text(body, "null");
        return;
    }
    buffer_add_text(body, "{\"at\":");
    json_write_time(body, row->error_at_ms);
    add_bytes(body, "code", row->error_code);
    add_bytes(body, "detail", row->error_detail);
    buffer_add_char(body, '}');
}

static void add_attention(struct buffer *body, const struct schedule_row *row)
{
    const struct {
        bool holds;
        const char *name;
    } reasons[] = {
        {row->error_at_ms != 0, "failing"},
        {row->waiting.size > 0, "waiting"},
        {row->paused,           "paused" },
    };
    bool has_one = false;
    buffer_add_text(body, ",\"attention\":[");
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (!reasons[i].holds) continue;
        buffer_add_format(body, "%s\"%s\"", has_one ? "," : "", reasons[i].name);
        has_one = true;
    }
    buffer_add_char(body, ']');
}

void schedule_add(struct buffer *body, const struct schedule_row *row)
{
    buffer_add_text(body, "{\"name\":");
    json_write_string(body, row->name);
    add_definition(body, row);
    add_bytes(body, "cron", row->cron);
    add_bytes(body, "time_zone", row->time_zone);
    add_bytes(body, "catch_up", bytes_of(catch_up_name(row->catch_up)));
    add_duration(body, "catch_up_window", row->catch_up_window_ms);
    add_bytes(body, "overlap", bytes_of(overlap_name(row->overlap)));
    buffer_add_text(body, row->paused ? ",\"paused\":true" : ",\"paused\":false");
    add_attention(body, row);
    buffer_add_format(body, ",\"revision\":%u", row->revision);
    add_time(body, "created_at", row->created_at_ms);
    add_time(body, "updated_at", row->updated_at_ms);
    add_time(body, "next_at", row->paused ? 0 : row->next_at_ms);
    add_time(body, "last_at", row->last_at_ms);
    add_id(body, "last_saga", &row->last_saga);
    add_error(body, row);
    buffer_add_format(body,
                      ",\"waiting\":%zu,\"started\":%" PRId64 ",\"missed\":%" PRId64
                      ",\"skipped\":%" PRId64 ",\"failed\":%" PRId64,
                      row->waiting.size / 8, row->started, row->missed, row->skipped, row->failed);
}

void schedule_add_whole(struct exchange *exchange, struct store *store, struct buffer *body,
                        const struct schedule_row *row)
{
    struct registered found;
    struct err err;
    schedule_add(body, row);
    add_member(body, "input");
    if (registry_by_name(exchange->api->registry, store, row->definition, row->version, &found,
                         &err)) {
        redact_write(body, found.definition, BYTES("/input"), row->input);
    } else {
        buffer_add_text(body, "null"); /* what is to be masked is not known now */
    }
}

void schedule_add_times(struct buffer *body, const struct cron *cron, const struct zone *zone,
                        int64_t after_ms, size_t count)
{
    int64_t at_ms = after_ms;
    buffer_add_char(body, '[');
    for (size_t i = 0; i < count && cron_next(cron, zone, at_ms, &at_ms); i++) {
        const int32_t offset_s = zone_stretch_offset(zone, zone_stretch(zone, at_ms / 1000));
        char local[TIME_TEXT_SIZE];
        const size_t size = time_print(at_ms + (int64_t)offset_s * 1000, local);
        buffer_add_text(body, i > 0 ? ",{\"at\":" : "{\"at\":");
        json_write_time(body, at_ms);
        /* Local time without its Z, then how far it is ahead. */
        buffer_add_format(body, ",\"local\":\"%.*s%c%02d:%02d\"}", (int)size - 5, local,
                          offset_s < 0 ? '-' : '+', abs(offset_s) / 3600, abs(offset_s) / 60 % 60);
    }
    buffer_add_char(body, ']');
}

void schedule_add_event(struct buffer *body, const struct schedule_event_row *row)
{
    buffer_add_format(body, "{\"id\":\"%" PRId64 "\",\"at\":", row->id);
    json_write_time(body, row->at_ms);
    add_bytes(body, "kind", row->kind);
    add_time(body, "scheduled_at", row->scheduled_at_ms);
    add_id(body, "saga", &row->saga);
    buffer_add_format(body, ",\"count\":%" PRId64, row->count);
    add_bytes(body, "actor", row->actor);
    add_bytes(body, "reason", row->reason);
    add_bytes(body, "detail", row->detail);
    buffer_add_char(body, '}');
}
