/*
 * api/body.h
 *   Request bodies against tables of members: what is unknown, missing or of the wrong type is
 *   told with its JSON Pointer, everything at once.
 */
#ifndef API_BODY_H
#define API_BODY_H

#include "api/problem.h"
#include "sagas/base/json_view.h"

enum { /* bits of what a member may be */
       IS_STRING = 1 << VIEW_STRING,
       IS_OBJECT = 1 << VIEW_OBJECT,
       IS_ARRAY = 1 << VIEW_ARRAY,
       IS_NUMBER = 1 << VIEW_NUMBER,
       IS_BOOL = 1 << VIEW_FALSE | 1 << VIEW_TRUE,
       IS_ANYTHING = (1 << (VIEW_OBJECT + 1)) - 1,
};

enum presence { MEMBER_OPTIONAL, MEMBER_REQUIRED };

struct member {
    const char *name;
    unsigned types;
    enum presence presence;
};

enum { MEMBERS_MAX = 16 };

/* Parse the body; PROBLEM_INVALID_JSON when it is none. */
bool body_parse(struct bytes body, struct refusal *refusal, const struct json_view **ret_view);

/*
 * The members of `object` in the order of `members` (NULL where absent). False: `refusal` has a
 * fault for each that is wrong, with pointers that begin with `base`.
 */
bool body_members(const struct json_view *object, const struct member *members, size_t count,
                  struct bytes base, struct refusal *refusal, const struct json_view **ret_values);

/* A body that may be empty, or holds {"reason": text} and nothing else. */
bool body_is_reason_only(struct bytes body, struct refusal *refusal);

/* At most 100 bytes of a text from outside, cut between characters, to be shown in a detail. */
struct bytes body_shown(struct bytes text);

#endif
