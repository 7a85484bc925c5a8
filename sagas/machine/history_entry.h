/*
 * sagas/machine/history_entry.h
 *   How an entry of the history is packed. For sagas/machine/ only.
 *
 * HISTORY_FORMAT, then the entries one after the other. An entry: the number of its type, a set of
 * bits that says which members it has, and these in the order of HISTORY_MEMBERS. Numbers are
 * stored: what is added goes to the end of its list.
 */
#ifndef SAGAS_MACHINE_HISTORY_ENTRY_H
#define SAGAS_MACHINE_HISTORY_ENTRY_H

#include <stdbool.h>

enum { HISTORY_FORMAT = 1 };

enum member {
    MEMBER_STEP,
    MEMBER_INDEX,
    MEMBER_OP,
    MEMBER_ATTEMPT,
    MEMBER_ACTOR,
    MEMBER_VERB,
    MEMBER_OUTCOME,
    MEMBER_REASON,
    MEMBER_CODE,
    MEMBER_TEXT,
    MEMBER_PROGRESS,
    MEMBER_MESSAGE,
    MEMBER_STATE,
    MEMBER_PAUSED,
    MEMBER_AGAIN,
    MEMBER_STATED,
    MEMBER_ITEMS,
    MEMBER_DELAY_MS,
    MEMBER_NEXT_ATTEMPT_AT,
    MEMBER_DEADLINE_AT,
    MEMBER_START_AT,
    MEMBER_NAME,
    MEMBER_KEY,
    MEMBER_FORKED_FROM,
    MEMBER_FROM_STEP,
    MEMBER_VERSION_BEFORE,
    MEMBER_VERSION,
    MEMBER_STEP_MAP,
    MEMBER_EFFECT,
    MEMBER_COUNT,
};

enum member_kind {
    MEMBER_IS_TEXT,
    MEMBER_IS_JSON,
    MEMBER_IS_NUMBER,
    MEMBER_IS_DIRECTION, /* the number of an enum op */
    MEMBER_IS_TIME,      /* Unix ms */
    MEMBER_IS_TRUE,      /* its bit is all there is */
};

struct history_member {
    const char *name;
    enum member_kind kind;
    bool in_detail;
};

extern const struct history_member HISTORY_MEMBERS[MEMBER_COUNT];

enum { HISTORY_TYPES_MAX = 64 };
/* The types by number, NULL at the end; the most frequent first. */
extern const char *const HISTORY_TYPES[HISTORY_TYPES_MAX];

#endif
