/*
 * sagas/definition/draft.h
 *   A definition while it is read and checked.
 *
 * The order: read (members.h, read_*.c: every member of every object, one row each), link
 * (graph.h: who depends on whom), compile the expressions found on the way (compile.c), check
 * what needs the whole (rules.c). Each stage reports what it finds and goes on, so that all
 * problems are told at once; what a problem leaves unknown is not complained about a second time.
 */
#ifndef SAGAS_DEFINITION_DRAFT_H
#define SAGAS_DEFINITION_DRAFT_H

#include "sagas/definition/definition.h"
#include "sagas/definition/graph.h"
#include "sagas/definition/problems.h"

/* What an expression may read depends on when it is evaluated. */
enum scope {
    SCOPE_START,  /* attributes: input and saga */
    SCOPE_GATE,   /* `when`, `foreach.in`: also the steps before */
    SCOPE_ACTION, /* also item and index */
    SCOPE_UNDO,   /* also the output of the own action */
    SCOPE_END,    /* output of the saga: all steps */
};

/* An expression or template that was found; compiled once the graph is known. */
struct pending {
    struct pending *next;
    const struct json_view *view;
    enum scope scope;
    int step;                             /* position; -1: of no step */
    const struct expression **expression; /* where the result goes: one of the two is set */
    const struct template **template;
};

/* What is read of a kind of step that is not run yet. */
struct child_draft {
    struct bytes name;
    uint32_t version;
    const struct expression *id;
    const struct template *input;
    unsigned on_parent_compensate;
};

struct step_draft {
    struct step *step;            /* in the definition */
    const struct json_view *view; /* the whole object */
    /* its members; NULL where left out */
    const struct json_view *id, *depends_on, *when, *foreach, *on_failure, *pivot, *compensation;
    const struct json_view *kinds[STEP_DELAY + 1]; /* by enum step_kind */
    const struct json_view *on_unknown, *probe, *effect;
    struct send *probe_send; /* where there is a `probe` */
    struct child_draft child;
};

struct draft {
    struct definition *definition;
    struct arena *arena;   /* the definition's own */
    struct arena *scratch; /* gone after the parse */
    const struct definition_rules *rules;
    struct problems problems;
    const struct json_view *root;
    size_t schema_room; /* what further schemas may take, see schema.h */

    /* `defaults`, read before the steps */
    uint64_t timeout_ms;
    struct retry_policy retry;
    struct retry_policy compensation_retry;
    const struct json_view *defaults_view, *steps_view;

    struct step *steps; /* the definition's, while they may be changed */
    struct step_draft *step_drafts;
    size_t step_count; /* 0 when `steps` is unusable */
    struct graph graph;

    /* where pending expressions are found just now */
    enum scope scope;
    int step;
    struct pending *pending;
    struct pending **pending_end;
};

/* read_definition.c, read_step.c, read_send.c */
void read_definition(struct draft *draft);
void read_steps(struct draft *draft, const struct json_view *view);
void read_send(struct draft *draft, const struct json_view *view, struct send *send);
void read_compensation(struct draft *draft, const struct json_view *view, struct send *send);
/* `policy` holds what is inherited; the members of `view` replace theirs. */
void read_retry(struct draft *draft, const struct json_view *view, struct retry_policy *policy);

/* compile.c: all that is pending. */
void compile_pending(struct draft *draft);

/* rules.c: pivot, undo, horizons, what can never run. */
void check_rules(struct draft *draft);

#endif
