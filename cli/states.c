#include "cli/states.h"

static const struct saga_rule {
    const char *state;
    enum ending ending;
    enum style style;
} SAGA_RULES[] = {
    {"pending",      ENDING_NONE,  STYLE_DIM },
    {"running",      ENDING_NONE,  STYLE_BUSY},
    {"compensating", ENDING_NONE,  STYLE_WARN},
    {"succeeded",    ENDING_GOOD,  STYLE_GOOD},
    {"compensated",  ENDING_OTHER, STYLE_WARN},
    {"stuck",        ENDING_OTHER, STYLE_BAD },
    {"terminated",   ENDING_OTHER, STYLE_BAD },
};

static const struct step_rule {
    const char *state;
    bool settled;
    enum style style;
} STEP_RULES[] = {
    {"waiting",              false, STYLE_DIM },
    {"ready",                false, STYLE_DIM },
    {"dispatched",           false, STYLE_BUSY},
    {"retrying",             false, STYLE_WARN},
    {"succeeded",            true,  STYLE_GOOD},
    {"failed",               true,  STYLE_BAD },
    {"unknown",              true,  STYLE_BAD },
    {"skipped",              true,  STYLE_DIM },
    {"compensating",         false, STYLE_WARN},
    {"compensated",          true,  STYLE_WARN},
    {"compensation_failed",  true,  STYLE_BAD },
    {"compensation_skipped", true,  STYLE_DIM },
};

static const struct saga_rule *saga_rule(struct bytes state)
{
    for (size_t i = 0; i < sizeof SAGA_RULES / sizeof SAGA_RULES[0]; i++) {
        if (bytes_equal_text(state, SAGA_RULES[i].state)) return &SAGA_RULES[i];
    }
    return NULL;
}

static const struct step_rule *step_rule(struct bytes state)
{
    for (size_t i = 0; i < sizeof STEP_RULES / sizeof STEP_RULES[0]; i++) {
        if (bytes_equal_text(state, STEP_RULES[i].state)) return &STEP_RULES[i];
    }
    return NULL;
}

enum ending saga_ending(struct bytes state)
{
    const struct saga_rule *rule = saga_rule(state);
    return rule != NULL ? rule->ending : ENDING_NONE;
}

enum style saga_state_style(struct bytes state)
{
    const struct saga_rule *rule = saga_rule(state);
    return rule != NULL ? rule->style : STYLE_PLAIN;
}

enum style step_state_style(struct bytes state)
{
    const struct step_rule *rule = step_rule(state);
    return rule != NULL ? rule->style : STYLE_PLAIN;
}

bool step_is_settled(struct bytes state)
{
    const struct step_rule *rule = step_rule(state);
    return rule != NULL && rule->settled;
}
