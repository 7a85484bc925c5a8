#include "sagas/machine/history_entry.h"
#include "sagas/machine/pack.h"
#include "sagas/machine/turn.h"

#include <assert.h>
#include <string.h>

/* An entry before it is packed: the bits of its members, and what they hold. */
struct entry {
    uint32_t has;
    struct bytes text[MEMBER_COUNT];
    uint64_t number[MEMBER_COUNT];
};

static void set_text(struct entry *entry, enum member member, struct bytes text)
{
    if (text.data == NULL) return;
    entry->has |= 1U << member;
    entry->text[member] = text;
}

static void set_number(struct entry *entry, enum member member, bool present, uint64_t number)
{
    if (!present) return;
    entry->has |= 1U << member;
    entry->number[member] = number;
}

static void set_time(struct entry *entry, enum member member, int64_t at_ms)
{
    set_number(entry, member, at_ms != 0, (uint64_t)at_ms);
}

static void set_detail(struct entry *entry, const struct detail *detail)
{
    set_text(entry, MEMBER_VERB, detail->verb);
    set_text(entry, MEMBER_OUTCOME, detail->outcome);
    set_text(entry, MEMBER_REASON, detail->reason);
    set_text(entry, MEMBER_CODE, detail->code);
    set_text(entry, MEMBER_TEXT, detail->text);
    set_text(entry, MEMBER_PROGRESS, detail->progress);
    set_text(entry, MEMBER_MESSAGE, detail->message);
    set_text(entry, MEMBER_STATE, bytes_of(detail->state));
    set_number(entry, MEMBER_PAUSED, detail->paused, 1);
    set_number(entry, MEMBER_AGAIN, detail->again, 1);
    set_number(entry, MEMBER_STATED, detail->stated, 1);
    set_number(entry, MEMBER_ITEMS, detail->counts_items, detail->items);
    set_number(entry, MEMBER_DELAY_MS, detail->delay_ms > 0, detail->delay_ms);
    set_time(entry, MEMBER_NEXT_ATTEMPT_AT, detail->next_attempt_at_ms);
    set_time(entry, MEMBER_DEADLINE_AT, detail->deadline_at_ms);
    set_time(entry, MEMBER_START_AT, detail->start_at_ms);
    set_text(entry, MEMBER_NAME, detail->name);
    set_text(entry, MEMBER_KEY, detail->key);
    set_text(entry, MEMBER_FORKED_FROM, detail->forked_from);
    set_text(entry, MEMBER_FROM_STEP, detail->from_step);
    set_number(entry, MEMBER_VERSION_BEFORE, detail->migrates, detail->version_before);
    set_number(entry, MEMBER_VERSION, detail->migrates, detail->version);
    set_text(entry, MEMBER_STEP_MAP, detail->step_map);
    set_text(entry, MEMBER_EFFECT, detail->effect);
}

static void set_run(struct entry *entry, const struct run_ref *ref)
{
    set_text(entry, MEMBER_STEP, ref->step->id);
    set_number(entry, MEMBER_INDEX, ref->index != INDEX_NONE, (uint64_t)ref->index);
    if (ref->run == NULL) return;
    set_number(entry, MEMBER_OP, true, ref->run->op);
    set_number(entry, MEMBER_ATTEMPT, ref->run->attempt > 0, ref->run->attempt);
}

static unsigned type_number(const char *type)
{
    unsigned number = 0;
    while (HISTORY_TYPES[number] != NULL && strcmp(HISTORY_TYPES[number], type) != 0) {
        number++;
    }
    assert(HISTORY_TYPES[number] != NULL);
    return number;
}

static void pack_entry(struct buffer *buffer, const char *type, const struct entry *entry)
{
    pack_number(buffer, type_number(type));
    pack_number(buffer, entry->has);
    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        if ((entry->has & 1U << i) == 0) continue;
        switch (HISTORY_MEMBERS[i].kind) {
        case MEMBER_IS_TEXT:
        case MEMBER_IS_JSON: pack_bytes(buffer, entry->text[i]); break;
        case MEMBER_IS_NUMBER:
        case MEMBER_IS_DIRECTION:
        case MEMBER_IS_TIME: pack_number(buffer, entry->number[i]); break;
        case MEMBER_IS_TRUE: break;
        }
    }
}

void record(struct turn *turn, const char *type, const struct run_ref *ref,
            const struct detail *detail)
{
    struct entry entry = {0};
    if (ref != NULL) set_run(&entry, ref);
    if (ref == NULL || detail->verb.data != NULL || detail->by_actor) {
        set_text(&entry, MEMBER_ACTOR, turn->event->actor);
    }
    set_detail(&entry, detail);
    if (turn->decision->history_count == 0) pack_number(&turn->history, HISTORY_FORMAT);
    pack_entry(&turn->history, type, &entry);
    turn->decision->history_count++;
}

struct detail detail_of_error(const struct saga_error *error)
{
    return (struct detail){.code = bytes_of(error->code), .text = error->detail};
}

void close_history(struct turn *turn)
{
    struct decision *const decision = turn->decision;
    if (decision->history_count == 0) {
        assert(!turn->changed);
        return;
    }
    decision->history = buffer_bytes(&turn->history);
    turn->saga->history_seq += decision->history_count;
}
