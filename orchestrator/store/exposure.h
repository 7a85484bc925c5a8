/* orchestrator/store/exposure.h: what open sagas have done, summed (exposure.c) */
#ifndef ORCHESTRATOR_STORE_EXPOSURE_H
#define ORCHESTRATOR_STORE_EXPOSURE_H

#include "orchestrator/store/store.h"

/* What tells groups apart, in the order in which they are listed. */
struct exposure_key {
    int64_t definition_id;
    enum saga_state state;
    struct bytes topic, kind, currency; /* "": none */
};

struct exposure_group {
    bool is_total; /* of a currency: of the key that alone is known */
    struct exposure_key key;
    struct bytes definition; /* name */
    uint32_t version;
    int64_t count, unknown_count, unvalued_count; /* unvalued: without an amount */
    int64_t sagas;
    struct bytes amount, unknown_amount; /* decimal digits */
    int64_t first_at_ms, last_at_ms;     /* when they came to be so */
};

struct exposure_filter {
    const enum saga_state *states; /* at least one */
    size_t state_count;
    /* any of; none given: all */
    const struct bytes *definitions, *topics, *kinds, *currencies;
    size_t definition_count, topic_count, kind_count, currency_count;
    struct exposure_key after; /* all zero and "": from the first */
    size_t limit;
};

/* Groups, then at most 500 totals: all of one moment. */
MUST_CHECK bool store_exposure(struct store *store, const struct exposure_filter *filter,
                               struct arena *arena, struct exposure_group **ret_groups,
                               size_t *ret_count, struct err *err);

#endif
