/*
 * sagas/definition/definition.h
 *   A saga definition: read, checked whole, compiled to a graph.
 *
 * A definition is immutable. Compiled once, it is shared by all threads without a
 * lock. Steps are addressed by position inside this program only; whatever is
 * stored or sent names them by id.
 */
#ifndef SAGAS_DEFINITION_DEFINITION_H
#define SAGAS_DEFINITION_DEFINITION_H

#include "sagas/base/bytes.h"
#include "sagas/expression/expression.h"

#include <stdint.h>

struct schema; /* sagas/schema/schema.h */

enum {
    DEFINITION_STEPS_MAX = 500,
    DEFINITION_ATTRIBUTES_MAX = 16,
    DEFINITION_LABELS_MAX = 32,
    DEFINITION_SIZE_MAX = 1024 * 1024,
    FOREACH_ITEMS_MAX = 1000,
    IDENT_SIZE_MAX = 100,
    DEFINITION_HASH_SIZE = 32,
};

enum step_kind { STEP_ACTION, STEP_CHILD, STEP_SIGNAL, STEP_DELAY };
enum jitter { JITTER_FULL, JITTER_EQUAL, JITTER_NONE };
enum on_failure { ON_FAILURE_COMPENSATE, ON_FAILURE_IGNORE, ON_FAILURE_PAUSE };
enum on_timeout { ON_TIMEOUT_COMPENSATE, ON_TIMEOUT_PAUSE };
enum on_unknown { ON_UNKNOWN_COMPENSATE, ON_UNKNOWN_PROBE, ON_UNKNOWN_HOLD };
enum on_exhausted { ON_EXHAUSTED_STUCK, ON_EXHAUSTED_CONTINUE };

/* How a step is undone (contracts: undo or say that there is none). */
enum undo {
    UNDO_COMMAND,    /* send `compensation` */
    UNDO_NOTHING,    /* "compensation": null */
    UNDO_UNDECLARED, /* left out: on the pivot, after it, or where no later step can fail */
};

struct retry_policy {
    uint32_t max_attempts; /* 0: no limit */
    uint64_t initial_ms, max_ms;
    double multiplier;
    enum jitter jitter;
    uint64_t max_elapsed_ms; /* since the first sending of this direction; 0: no limit */
    const struct bytes *never_on;
    size_t never_on_count;
};

struct send_header {
    struct bytes name;
    const struct template *value; /* renders to a JSON string */
};

/* A command that a step sends: its action, its compensation or its probe. */
struct send {
    struct bytes topic;
    struct bytes type;            /* the step id where the definition gives none */
    const struct expression *key; /* NULL: the saga id */
    const struct template *input; /* NULL: {} */
    const struct send_header *headers;
    size_t header_count;
    uint64_t timeout_ms;
    uint64_t heartbeat_ms;              /* 0: none */
    const struct schema *output_schema; /* of an action and a probe; NULL: anything */
    struct retry_policy retry;
    enum on_exhausted on_exhausted; /* of a compensation */
};

struct foreach {
    const struct expression *in;
    struct bytes as;      /* "item" where left out */
    uint32_t concurrency; /* 1 to 1000; all at once where left out */
    uint32_t max_items;   /* 1 to 1000 */
};

/* A step that waits for a signal. */
struct signal_wait {
    struct bytes name;
    uint64_t timeout_ms;         /* 0: none */
    bool continues_on_timeout;   /* else the step fails with code `timeout` */
    const struct schema *schema; /* of its payload; NULL: anything */
};

/* A step that waits for a time: one of the three is given. */
struct delay {
    uint64_t for_ms;                         /* 0: not given */
    const struct expression *for_expression; /* gives a duration */
    const struct expression *until;          /* gives an RFC 3339 time */
};

/* What a step does to the world, told for the sum of what is done and not yet confirmed or undone.
 */
struct step_effect {
    struct bytes kind;
    const struct expression *amount; /* gives a number, or its text; NULL: it is only counted */
    const struct template *currency; /* renders to a text or null; NULL: none */
};

struct step {
    struct bytes id;
    uint16_t position;
    enum step_kind kind;
    const uint16_t *needs; /* positions it depends on */
    uint16_t need_count;
    const uint16_t *feeds; /* positions that depend on it */
    uint16_t feed_count;
    const struct expression *when; /* NULL: always */
    const struct foreach *foreach; /* NULL: one command */
    enum on_failure on_failure;
    bool on_failure_stated;
    enum on_unknown on_unknown;
    bool pivot;
    bool after_pivot; /* depends on the pivot, directly or not: runs only when that is settled */
    enum undo undo;
    struct send action;
    struct send compensation;         /* where undo == UNDO_COMMAND */
    const struct send *probe;         /* where on_unknown == ON_UNKNOWN_PROBE, else NULL */
    const struct signal_wait *signal; /* of a STEP_SIGNAL, else NULL */
    const struct delay *delay;        /* of a STEP_DELAY, else NULL */
    const struct step_effect *effect; /* NULL: none is declared */
};

/* It sends nothing when its turn comes: a signal or a delay. */
static inline bool step_only_waits(const struct step *step)
{
    return step->kind == STEP_SIGNAL || step->kind == STEP_DELAY;
}

/* At most `limit` sagas of the definition's name are open at once for one key. */
struct concurrency {
    uint32_t limit;               /* at least 1 */
    const struct expression *key; /* gives a text, see saga_lock_key; NULL: one key for all */
};

struct attribute {
    struct bytes name;
    const struct expression *value;
};

struct definition {
    struct bytes name;
    struct bytes source;                /* the definition's own bytes */
    uint8_t hash[DEFINITION_HASH_SIZE]; /* of the content, see definition_parse */
    uint32_t stated_version;            /* `version` in the text; 0: none */
    uint32_t version;                   /* set by whoever stored it; 0: not stored yet */
    int64_t stored_id;                  /* likewise */
    struct bytes labels;                /* JSON object; {} where left out */
    const struct schema *input_schema;  /* NULL: anything */
    uint64_t timeout_ms;                /* of the saga; 0: none */
    enum on_timeout on_timeout;
    const struct concurrency *concurrency; /* NULL: as many as there are */
    const struct step *steps;
    uint16_t step_count;
    uint16_t effect_count; /* steps that declare an effect */
    const uint16_t *by_id; /* positions, ordered by id: for definition_find_step */
    int pivot;             /* position, -1: none */
    const struct attribute *attributes;
    size_t attribute_count;
    const struct bytes *redact; /* JSON Pointers: /input/.., /output/.., /steps/<id>/output/.. */
    size_t redact_count;
    const struct template *output; /* NULL: null */
    struct arena arena;            /* owns everything above */
};

/* A problem: `pointer` is RFC 6901 into the definition, `detail` says what and how to mend it. */
struct definition_problem {
    struct bytes pointer;
    struct bytes detail;
};

/* Both lists in the order of the text; at most a thousand, then one more that counts the rest. */
struct definition_report {
    const struct definition_problem *errors;
    size_t error_count;
    const struct definition_problem *warnings;
    size_t warning_count;
};

struct definition_rules {
    const char *topics_allow; /* comma-separated globs; NULL: all but `saga.*` and `__*` */
    /*
     * It was registered before, maybe by a version that kept schemas without reading them: one that
     * does not compile is passed over, for sagas end under the definition they started with.
     */
    bool stored;
};

/*
 * Parse, check and compile. All problems are reported at once, into `report_arena`.
 * NULL when there is an error. `text` is copied.
 *
 * The hash is over the content: the compact JSON of the text with the members of each object
 * sorted and a top-level `version` left out, so that white space, member order and
 * the number do not make a new version. The hash function is passed in because the core
 * links no cryptography.
 */
typedef void definition_hash(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE]);

struct definition *definition_parse(struct bytes text, const struct definition_rules *rules,
                                    definition_hash *hash, struct arena *report_arena,
                                    struct definition_report *ret_report);

void definition_free(struct definition *definition);

/* Position of step `id`, -1 when there is none. */
int definition_find_step(const struct definition *definition, struct bytes id);

/* True when a step waits for signals of that name. */
bool definition_waits_for(const struct definition *definition, struct bytes signal_name);

/* True when `topic` is on the allow-list. */
bool definition_topic_allowed(const char *topics_allow, struct bytes topic);

#endif
