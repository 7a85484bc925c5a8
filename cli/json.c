#include "cli/json.h"

#include "cli/times.h"

struct bytes json_text(const struct json_view *view, const char *name)
{
    const struct json_view *member = json_view_member(view, name);
    if (member == NULL || member->type != VIEW_STRING) return (struct bytes){NULL, 0};
    return member->string;
}

bool json_is(const struct json_view *view, const char *name, const char *text)
{
    return bytes_equal_text(json_text(view, name), text);
}

bool json_true(const struct json_view *view, const char *name)
{
    const struct json_view *member = json_view_member(view, name);
    return member != NULL && member->type == VIEW_TRUE;
}

int64_t json_int(const struct json_view *view, const char *name, int64_t otherwise)
{
    const struct json_view *member = json_view_member(view, name);
    int64_t value = 0;
    if (member == NULL || !json_view_int64(member, &value)) return otherwise;
    return value;
}

int64_t json_time(const struct json_view *view, const char *name)
{
    return times_parse(json_text(view, name));
}

const struct json_view *json_value(const struct json_view *view, const char *name)
{
    const struct json_view *member = json_view_member(view, name);
    return member == NULL || member->type == VIEW_NULL ? NULL : member;
}

const struct json_view *json_items(const struct json_view *view, const char *name)
{
    const struct json_view *member = json_view_member(view, name);
    return member == NULL || member->type != VIEW_ARRAY ? NULL : member->child;
}

struct bytes json_plain(const struct json_view *view, struct arena *arena)
{
    if (view == NULL || view->type == VIEW_NULL) return BYTES("");
    if (view->type == VIEW_STRING) return view->string;
    struct buffer buffer = buffer_in(arena);
    json_write_compact(&buffer, view);
    return buffer_bytes(&buffer);
}
