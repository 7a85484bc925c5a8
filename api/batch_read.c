#include "api/batch_read.h"
#include "orchestrator/store/failure.h"
#include "orchestrator/store/operator_batch.h"

#include "api/body.h"
#include "api/failure_id.h"
#include "api/saga_filter.h"
#include "api/text.h"

#include <stdlib.h>
#include <string.h>

enum { REASON_SIZE_MAX = 1000, RATE_DEFAULT = 100, RATE_MAX = 5000 };

enum {
    VERB,
    FILTER,
    IDS,
    REASON,
    RATE,
    STEP,
    INDEX,
    OUTPUT,
    NAME,
    PAYLOAD,
    VERSION,
    STEP_MAP,
    MEMBER_COUNT
};

static const struct member MEMBERS[MEMBER_COUNT] = {
    [VERB] = {"verb",       IS_STRING,   MEMBER_REQUIRED},
    [FILTER] = {"filter",     IS_OBJECT,   MEMBER_OPTIONAL},
    [IDS] = {"ids",        IS_ARRAY,    MEMBER_OPTIONAL},
    [REASON] = {"reason",     IS_STRING,   MEMBER_REQUIRED},
    [RATE] = {"rate_per_s", IS_NUMBER,   MEMBER_OPTIONAL},
    [STEP] = {"step",       IS_STRING,   MEMBER_OPTIONAL},
    [INDEX] = {"index",      IS_NUMBER,   MEMBER_OPTIONAL},
    [OUTPUT] = {"output",     IS_ANYTHING, MEMBER_OPTIONAL},
    [NAME] = {"name",       IS_STRING,   MEMBER_OPTIONAL},
    [PAYLOAD] = {"payload",    IS_ANYTHING, MEMBER_OPTIONAL},
    [VERSION] = {"version",    IS_NUMBER,   MEMBER_OPTIONAL},
    [STEP_MAP] = {"step_map",   IS_OBJECT,   MEMBER_OPTIONAL},
};

/* The members that are not for every verb. */
enum {
    TAKES_STEP = 1U << STEP,
    TAKES_OUTPUT = 1U << OUTPUT,
    TAKES_SIGNAL = 1U << NAME | 1U << PAYLOAD,
    TAKES_VERSION = 1U << VERSION | 1U << STEP_MAP,
};

static const struct verb {
    const char *name;
    unsigned takes;
} VERBS[] = {
    {"cancel",    0                        },
    {"retry",     0                        },
    {"retry_now", 0                        },
    {"skip",      TAKES_STEP | TAKES_OUTPUT},
    {"terminate", 0                        },
    {"pause",     0                        },
    {"resume",    0                        },
    {"signal",    TAKES_SIGNAL             },
    {"migrate",   TAKES_VERSION            },
    {"replay",    0                        },
};
enum { VERB_COUNT = sizeof(VERBS) / sizeof(VERBS[0]) };

/* ---- verb and its members ---- */

/* NULL: refused. */
static const struct verb *read_verb(struct refusal *refusal, struct bytes name,
                                    struct batch_wish *wish)
{
    wish->batch.verb = name;
    wish->replays = bytes_equal_text(name, "replay");
    wish->migrates = bytes_equal_text(name, "migrate");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (bytes_equal_text(name, VERBS[i].name)) return &VERBS[i];
    }
    struct buffer known = buffer_in(refusal->arena);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        buffer_add_format(&known, " %s", VERBS[i].name);
    }
    (void)refuse_at(refusal, BYTES("/verb"), "must be one of%s", known.data);
    return NULL;
}

/* A member that the verb does not take is refused with those that take it. */
static bool has_only_its_members(struct refusal *refusal, const struct verb *verb,
                                 const struct json_view *const value[MEMBER_COUNT])
{
    bool right = true;
    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        struct buffer takers = buffer_in(refusal->arena);
        if (value[i] == NULL || (verb->takes & 1U << i) != 0) continue;
        for (size_t k = 0; k < VERB_COUNT; k++) {
            if ((VERBS[k].takes & 1U << i) == 0) continue;
            buffer_add_format(&takers, "%s%s", takers.size > 0 ? " and " : "", VERBS[k].name);
        }
        if (takers.size == 0) continue; /* it is for every verb */
        struct buffer pointer = buffer_in(refusal->arena);
        buffer_add_format(&pointer, "/%s", MEMBERS[i].name);
        right = refuse_at(refusal, buffer_bytes(&pointer), "only %s takes it", takers.data);
    }
    return right;
}

static bool read_reason(struct refusal *refusal, struct bytes reason, struct batch_wish *wish)
{
    wish->batch.reason = reason;
    return (reason.size > 0 && reason.size <= REASON_SIZE_MAX &&
            memchr(reason.data, '\0', reason.size) == NULL) ||
           refuse_at(refusal, BYTES("/reason"), "must be 1 to %d bytes without NUL",
                     REASON_SIZE_MAX);
}

static bool read_rate(struct refusal *refusal, const struct json_view *rate,
                      struct batch_wish *wish)
{
    int64_t number = RATE_DEFAULT;
    const bool right =
        rate == NULL || (json_view_int64(rate, &number) && number >= 1 && number <= RATE_MAX);
    wish->batch.rate = (uint32_t)number;
    return right ||
           refuse_at(refusal, BYTES("/rate_per_s"), "must be a whole number, 1 to %d", RATE_MAX);
}

static bool read_step(struct refusal *refusal, const struct json_view *const value[MEMBER_COUNT],
                      struct batch_wish *wish)
{
    int64_t index = 0;
    if (value[STEP] != NULL) wish->batch.step = value[STEP]->string;
    if (value[STEP] != NULL && (wish->batch.step.size == 0 ||
                                memchr(wish->batch.step.data, '\0', wish->batch.step.size))) {
        return refuse_at(refusal, BYTES("/step"), "is the id of a step");
    }
    if (value[INDEX] == NULL) return true;
    if (value[STEP] == NULL) {
        return refuse_at(refusal, BYTES("/index"), "goes with a step");
    }
    wish->batch.has_item = true;
    if (!json_view_int64(value[INDEX], &index) || index < 0 || index > FOREACH_ITEMS_MAX) {
        return refuse_at(refusal, BYTES("/index"), "is the number of an item");
    }
    wish->batch.item = (int32_t)index;
    return true;
}

static bool read_json(struct refusal *refusal, const struct json_view *value, const char *name,
                      struct bytes *ret_text)
{
    if (value == NULL) return true;
    if (value->text.size > PAYLOAD_SIZE_MAX) {
        struct buffer pointer = buffer_in(refusal->arena);
        buffer_add_format(&pointer, "/%s", name);
        (void)refuse(refusal, PROBLEM_INPUT_TOO_LARGE, "the %s is larger than 256 KiB", name);
        return refuse_at(refusal, buffer_bytes(&pointer), "is larger than 256 KiB");
    }
    if (value->type != VIEW_NULL) *ret_text = value->text;
    return true;
}

static bool read_name(struct refusal *refusal, const struct verb *verb,
                      const struct json_view *name, struct batch_wish *wish)
{
    if ((verb->takes & 1U << NAME) == 0) return true;
    if (name == NULL) return refuse_at(refusal, BYTES("/name"), "is missing: which signal");
    wish->batch.name = name->string;
    return (name->string.size > 0 && name->string.size <= IDENT_SIZE_MAX &&
            memchr(name->string.data, '\0', name->string.size) == NULL) ||
           refuse_at(refusal, BYTES("/name"), "is the name of a signal");
}

static bool read_migration(struct refusal *refusal,
                           const struct json_view *const value[MEMBER_COUNT],
                           struct batch_wish *wish)
{
    int64_t version = 0;
    if (!wish->migrates) return true;
    if (value[VERSION] == NULL) {
        return refuse_at(refusal, BYTES("/version"), "is missing: which version they get");
    }
    if (!json_view_int64(value[VERSION], &version) || version < 1 || version > UINT32_MAX) {
        return refuse_at(refusal, BYTES("/version"), "versions are whole numbers from 1");
    }
    wish->version = (uint32_t)version;
    return step_map_read(refusal, value[STEP_MAP], &wish->map);
}

/* ---- ids ---- */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

static bool read_id(const struct json_view *item, bool replays, struct uuid *ret_id)
{
    uint64_t number = 0;
    if (item->type != VIEW_STRING) return false;
    if (!replays) return uuid_parse(item->string, ret_id);
    if (!text_number(item->string, INT64_MAX, &number)) return false;
    *ret_id = letter_id((int64_t)number);
    return true;
}

static bool refuse_id(struct refusal *refusal, size_t at, bool replays)
{
    struct buffer pointer = buffer_in(refusal->arena);
    buffer_add_format(&pointer, "/ids/%zu", at);
    return refuse_at(refusal, buffer_bytes(&pointer), "%s",
                     replays ? "is the id of a dead letter, as a string" : "is the id of a saga");
}

static bool read_ids(struct refusal *refusal, const struct json_view *list, struct batch_wish *wish)
{
    if (list->count == 0) return refuse_at(refusal, BYTES("/ids"), "names nothing");
    if (list->count > BATCH_IDS_MAX) {
        (void)refuse(refusal, PROBLEM_BATCH_TOO_LARGE, "%u ids; at most %d, more by a filter",
                     list->count, BATCH_IDS_MAX);
        return refuse_at(refusal, BYTES("/ids"), "are more than %d", BATCH_IDS_MAX);
    }
    struct uuid *const ids = arena_array(refusal->arena, list->count, sizeof(*ids));
    size_t count = 0;
    bool right = true;
    for (const struct json_view *item = list->child; item != NULL; item = item->next) {
        if (!read_id(item, wish->replays, &ids[count])) {
            right = refuse_id(refusal, count, wish->replays);
        }
        count++;
    }
    qsort(ids, count, sizeof(*ids), compare_ids);
    size_t distinct = 1;
    for (size_t i = 1; i < count; i++) {
        if (!uuid_equal(&ids[i], &ids[distinct - 1])) ids[distinct++] = ids[i];
    }
    wish->source.ids = ids;
    wish->source.id_count = distinct;
    return right;
}

/* ---- filters ---- */

static const char *const SAGA_NAMES[] = {
    "state",     "definition",    "version",        "label",  "attribute",
    "attention", "created_after", "created_before", "parent", NULL};
static const char *const LETTER_NAMES[] = {"reason", "topic", "created_after", "created_before",
                                           NULL};

struct parameters {
    struct parameter *parameter;
    size_t count;
};

static bool is_known(const char *const names[], struct bytes name)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (bytes_equal_text(name, names[i])) return true;
    }
    return false;
}

static struct bytes pointer_in_filter(struct refusal *refusal, struct bytes name)
{
    struct buffer pointer = buffer_in(refusal->arena);
    buffer_add_text(&pointer, "/filter");
    json_pointer_add(&pointer, body_shown(name));
    return buffer_bytes(&pointer);
}

/* A value or a list of values, as a query would hold them. */
static bool add_value(struct refusal *refusal, struct bytes name, const struct json_view *value,
                      struct parameters *parameters)
{
    const bool is_text = value->type == VIEW_STRING && value->string.size > 0 &&
                         memchr(value->string.data, '\0', value->string.size) == NULL;
    if (!is_text && value->type != VIEW_NUMBER) {
        return refuse_at(refusal, pointer_in_filter(refusal, name), "is a text, or a list of some");
    }
    if (parameters->count == PARAMETERS_MAX) {
        return refuse_at(refusal, BYTES("/filter"), "holds more than %d values", PARAMETERS_MAX);
    }
    parameters->parameter[parameters->count++] =
        (struct parameter){name, is_text ? value->string : value->text};
    return true;
}

/* One member of a filter. */
static bool read_parameter(struct refusal *refusal, const struct json_view *value,
                           const char *const names[], struct parameters *ret)
{
    const bool is_list = value->type == VIEW_ARRAY;
    const struct bytes pointer = pointer_in_filter(refusal, value->key);
    if (!is_known(names, value->key)) return refuse_at(refusal, pointer, "unknown member");
    if (!is_list) return add_value(refusal, value->key, value, ret);
    if (value->count == 0) return refuse_at(refusal, pointer, "names nothing");
    for (const struct json_view *each = value->child; each != NULL; each = each->next) {
        if (!add_value(refusal, value->key, each, ret)) return false;
    }
    return true;
}

static bool read_parameters(struct refusal *refusal, const struct json_view *filter,
                            const char *const names[], struct parameters *ret)
{
    ret->parameter = arena_array(refusal->arena, PARAMETERS_MAX, sizeof(*ret->parameter));
    for (const struct json_view *value = filter->child; value != NULL; value = value->next) {
        if (!read_parameter(refusal, value, names, ret)) return false;
    }
    return ret->count > 0 || refuse_at(refusal, BYTES("/filter"),
                                       "names nothing; say at least a state or a definition");
}

/* What has ended is left alone: no verb means anything to it. */
static bool limit_states(struct exchange *exchange, struct saga_filter *filter)
{
    static const enum saga_state OPEN[] = {SAGA_PENDING, SAGA_RUNNING, SAGA_COMPENSATING,
                                           SAGA_STUCK};
    for (size_t i = 0; i < filter->state_count; i++) {
        if (!saga_is_finished(filter->states[i])) continue;
        return refuse_at(&exchange->refusal, BYTES("/filter/state"),
                         "no verb means anything to sagas that have ended");
    }
    if (filter->state_count > 0) return true;
    filter->states = OPEN;
    filter->state_count = sizeof(OPEN) / sizeof(OPEN[0]);
    return true;
}

static bool read_group(struct refusal *refusal, const struct json_view *filter,
                       const struct json_view *id, struct batch_wish *wish)
{
    struct failure_group *const group = &wish->failure;
    if (filter->count > 1) {
        return refuse_at(refusal, BYTES("/filter"), "a failure group goes with no other filter");
    }
    wish->source.failure = group;
    return (id->type == VIEW_STRING &&
            failure_id_read(id->string, &group->state, &group->definition_id, &group->key)) ||
           refuse_at(refusal, BYTES("/filter/failure"), "is the id of a failure group");
}

static bool read_saga_filter(struct exchange *exchange, const struct json_view *filter,
                             struct batch_wish *wish)
{
    struct parameters parameters = {0};
    const struct json_view *const group = json_view_member(filter, "failure");
    if (group != NULL) return read_group(&exchange->refusal, filter, group, wish);
    wish->source.sagas = &wish->sagas;
    return read_parameters(&exchange->refusal, filter, SAGA_NAMES, &parameters) &&
           saga_filter_of(exchange, parameters.parameter, parameters.count, &wish->sagas,
                          &wish->matches_nothing) &&
           limit_states(exchange, &wish->sagas);
}

static bool read_letter_filter(struct exchange *exchange, const struct json_view *view,
                               struct batch_wish *wish)
{
    struct letter_filter *const filter = &wish->letters;
    struct parameters given = {0};
    if (!read_parameters(&exchange->refusal, view, LETTER_NAMES, &given)) return false;
    struct bytes *const reasons = arena_array(&exchange->arena, given.count, sizeof(*reasons));
    struct bytes *const topics = arena_array(&exchange->arena, given.count, sizeof(*topics));
    *filter = (struct letter_filter){.reasons = reasons, .topics = topics};
    wish->source.letters = filter;
    for (size_t i = 0; i < given.count; i++) {
        const struct parameter *const each = &given.parameter[i];
        if (bytes_equal_text(each->name, "reason")) {
            reasons[filter->reason_count++] = each->value;
        } else if (bytes_equal_text(each->name, "topic")) {
            topics[filter->topic_count++] = each->value;
        } else if (!text_time(each->value, bytes_equal_text(each->name, "created_after")
                                               ? &filter->after_ms
                                               : &filter->before_ms)) {
            return refuse_at(&exchange->refusal, pointer_in_filter(&exchange->refusal, each->name),
                             "is an RFC 3339 time");
        }
    }
    return true;
}

static bool read_source(struct exchange *exchange, const struct json_view *filter,
                        const struct json_view *ids, struct batch_wish *wish)
{
    struct refusal *const refusal = &exchange->refusal;
    if ((filter == NULL) == (ids == NULL)) {
        return refuse_at(refusal, BYTES(""), "give either filter or ids");
    }
    if (ids != NULL) return read_ids(refusal, ids, wish);
    struct buffer text = buffer_in(&exchange->arena);
    json_write_compact(&text, filter);
    wish->batch.filter = buffer_bytes(&text);
    return wish->replays ? read_letter_filter(exchange, filter, wish)
                         : read_saga_filter(exchange, filter, wish);
}

bool batch_read(struct exchange *exchange, struct batch_wish *ret_wish)
{
    struct refusal *const refusal = &exchange->refusal;
    const struct json_view *body = NULL;
    const struct json_view *value[MEMBER_COUNT] = {0};
    *ret_wish = (struct batch_wish){.batch.actor = exchange_actor(exchange)};
    if (!body_parse(exchange->body, refusal, &body)) return false;
    if (!body_members(body, MEMBERS, MEMBER_COUNT, BYTES(""), refusal, value)) return false;
    const struct verb *const verb = read_verb(refusal, value[VERB]->string, ret_wish);
    bool right = verb != NULL && has_only_its_members(refusal, verb, value);
    right = read_reason(refusal, value[REASON]->string, ret_wish) && right;
    right = read_rate(refusal, value[RATE], ret_wish) && right;
    right = right && read_step(refusal, value, ret_wish);
    right = right && read_name(refusal, verb, value[NAME], ret_wish);
    right = right && read_json(refusal, value[OUTPUT], "output", &ret_wish->batch.output);
    right = right && read_json(refusal, value[PAYLOAD], "payload", &ret_wish->batch.payload);
    right = right && read_migration(refusal, value, ret_wish);
    if (!right || !read_source(exchange, value[FILTER], value[IDS], ret_wish)) return false;
    const bool wants_step = bytes_equal_text(ret_wish->batch.verb, "skip") &&
                            ret_wish->batch.step.data == NULL && ret_wish->source.failure == NULL;
    return !wants_step || refuse_at(refusal, BYTES("/step"), "is missing: which step to skip");
}
