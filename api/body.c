#include "api/body.h"

#include "sagas/base/utf8.h"

#include <assert.h>

enum { SHOWN_SIZE_MAX = 100 };

struct bytes body_shown(struct bytes text)
{
    return utf8_prefix(text, SHOWN_SIZE_MAX);
}

bool body_parse(struct bytes body, struct refusal *refusal, const struct json_view **ret_view)
{
    struct json_error error = {0};
    if (body.size > 0 && json_view_parse(body, refusal->arena, ret_view, &error)) return true;
    if (body.size == 0) {
        (void)refuse(refusal, PROBLEM_INVALID_JSON, "a JSON body is expected");
    } else {
        (void)refuse(refusal, PROBLEM_INVALID_JSON, "byte %zu: %s", error.offset, error.what);
    }
    return false;
}

static const char *type_names(unsigned types)
{
    static const struct {
        unsigned types;
        const char *name;
    } NAMES[] = {
        {IS_STRING,             "a string"             },
        {IS_OBJECT,             "an object"            },
        {IS_ARRAY,              "an array"             },
        {IS_NUMBER,             "a number"             },
        {IS_BOOL,               "true or false"        },
        {IS_STRING | IS_OBJECT, "a string or an object"},
    };
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (NAMES[i].types == types) return NAMES[i].name;
    }
    return "of another type";
}

static size_t find(const struct member *members, size_t count, struct bytes name)
{
    size_t i = 0;
    while (i < count && !bytes_equal_text(name, members[i].name)) {
        i++;
    }
    return i;
}

static bool refuse_unknown(const struct member *members, size_t count, struct bytes base,
                           struct bytes name, struct refusal *refusal)
{
    struct buffer known = buffer_in(refusal->arena);
    for (size_t i = 0; i < count; i++) {
        buffer_add_format(&known, "%s%s", i > 0 ? ", " : "", members[i].name);
    }
    struct buffer pointer = buffer_in(refusal->arena);
    buffer_add_bytes(&pointer, base);
    json_pointer_add(&pointer, body_shown(name));
    return refuse_at(refusal, buffer_bytes(&pointer), "unknown member; known here: %s",
                     buffer_bytes(&known).data);
}

bool body_members(const struct json_view *object, const struct member *members, size_t count,
                  struct bytes base, struct refusal *refusal, const struct json_view **ret_values)
{
    assert(count <= MEMBERS_MAX);
    bool right = true;
    for (size_t i = 0; i < count; i++) {
        ret_values[i] = NULL;
    }
    if (object->type != VIEW_OBJECT) return refuse_at(refusal, base, "must be an object");

    for (const struct json_view *value = object->child; value != NULL; value = value->next) {
        const size_t i = find(members, count, value->key);
        if (i == count) {
            right = refuse_unknown(members, count, base, value->key, refusal);
        } else if ((members[i].types & (1U << value->type)) == 0) {
            right = refuse_at(refusal, pointer_to(refusal->arena, base, members[i].name),
                              "must be %s", type_names(members[i].types));
        } else {
            ret_values[i] = value;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (members[i].presence == MEMBER_REQUIRED &&
            json_view_member(object, members[i].name) == NULL) {
            right =
                refuse_at(refusal, pointer_to(refusal->arena, base, members[i].name), "is missing");
        }
    }
    return right;
}

bool body_is_reason_only(struct bytes body, struct refusal *refusal)
{
    static const struct member MEMBERS[] = {
        {"reason", IS_STRING, MEMBER_OPTIONAL}
    };
    const struct json_view *view = NULL;
    const struct json_view *value[1];
    if (body.size == 0) return true;
    return body_parse(body, refusal, &view) &&
           body_members(view, MEMBERS, 1, BYTES(""), refusal, value);
}
