#include "orchestrator/engine/history_item.h"

#include "sagas/machine/machine.h"

static void add_member(struct buffer *body, const struct json_view *entry, const char *name,
                       const char *missing)
{
    const struct json_view *const member = json_view_member(entry, name);
    buffer_add_format(body, ",\"%s\":", name);
    if (member == NULL) {
        buffer_add_text(body, missing);
    } else {
        buffer_add_bytes(body, member->text);
    }
}

static void add_members(struct buffer *body, const struct history_row *row, uint32_t seq,
                        const struct json_view *entry)
{
    static const struct {
        const char *name, *missing;
    } MEMBERS[] = {
        {"type",    "null"},
        {"step",    "null"},
        {"index",   "null"},
        {"op",      "null"},
        {"attempt", "null"},
        {"actor",   "null"},
        {"detail",  "{}"  },
    };
    buffer_add_format(body, "\"seq\":%u,\"revision\":%u,\"at\":", seq, row->revision);
    json_write_time(body, row->at_ms);
    for (size_t i = 0; i < sizeof(MEMBERS) / sizeof(MEMBERS[0]); i++) {
        add_member(body, entry, MEMBERS[i].name, MEMBERS[i].missing);
    }
}

bool history_entries(const struct history_row *row, struct arena *arena,
                     const struct json_view **ret_entries, struct err *err)
{
    struct buffer json = buffer_in(arena);
    struct json_error error;
    const char *what = NULL;
    if (!history_write_json(row->entries, &json, &what)) {
        return err_set(err, ERR_INTERNAL, "history row %u: %s", row->seq, what);
    }
    if (!json_view_parse(buffer_bytes(&json), arena, ret_entries, &error)) {
        return err_set(err, ERR_INTERNAL, "history row %u is no JSON: %s", row->seq, error.what);
    }
    return true;
}

void history_item(struct buffer *body, const struct history_row *row, uint32_t seq,
                  const struct json_view *entry)
{
    buffer_add_char(body, '{');
    add_members(body, row, seq, entry);
}

void history_event(struct buffer *body, const struct event_row *row, uint32_t seq,
                   const struct json_view *entry, const struct definition *definition,
                   const char *namespace_name)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&row->saga_id, id);
    buffer_add_format(body, "{\"saga\":\"%s\",\"namespace\":", id);
    json_write_text(body, namespace_name);
    buffer_add_text(body, ",\"definition\":{\"name\":");
    json_write_string(body, definition->name);
    buffer_add_format(body, ",\"version\":%u},\"state\":\"%s\",", definition->version,
                      saga_state_name(row->state));
    add_members(body, &row->history, seq, entry);
    buffer_add_char(body, '}');
}
