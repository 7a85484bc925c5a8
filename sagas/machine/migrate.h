/*
 * sagas/machine/migrate.h
 *   Another version of its definition for a saga that is under way.
 *
 * What a saga has begun stays as it is: a step that may have had an effect keeps its id (its
 * idempotency key is made of it), its action, its undo, its list and what it depends on, and stands
 * on the same side of the pivot. Inputs, timeouts, retries and policies may be others, and whatever
 * has not begun may be anything. A step that had no effect (refused, skipped) may have another id
 * and another action, or be gone; so may a wait that is over.
 *
 * A plan compares two versions once; each saga is then held against it.
 */
#ifndef SAGAS_MACHINE_MIGRATE_H
#define SAGAS_MACHINE_MIGRATE_H

#include "sagas/machine/machine.h"

/* A step's id in the version that the saga has, and in the one that it gets. */
struct step_move {
    struct bytes before, after;
};

struct migration_plan {
    const struct definition *from, *to;
    const struct step_plan *steps; /* by position of `from` */
};

struct migration_fault {
    struct bytes step; /* absent: of the saga as a whole */
    const char *detail;
};
enum { MIGRATION_FAULTS_MAX = 8 };

/* What EVENT_MIGRATE brings. */
struct migration {
    const struct definition *to;
    const struct step_move *moves;
    size_t move_count;
};

/* Steps that no move names keep their ids. */
void migration_plan(const struct definition *from, const struct definition *to,
                    const struct step_move *moves, size_t move_count, struct arena *arena,
                    struct migration_plan *ret_plan);

/* Why the saga, which has the plan's `from`, cannot get its `to`: how many faults; 0: it can. */
size_t migration_check(const struct migration_plan *plan, const struct saga *saga,
                       struct migration_fault ret_faults[MIGRATION_FAULTS_MAX]);

/* Where a step of `from` is in `to`; -1: nowhere. */
int migration_place(const struct migration_plan *plan, int position);

/* It has `to` from here on; what has not begun begins by it. Only where the check found no fault.
 */
void migration_apply(const struct migration_plan *plan, struct saga *saga);

/*
 * Moves that no saga could follow: a step is moved in a ring, or two become one. The place of the
 * first such move; -1: none.
 */
int migration_bad_move(const struct step_move *moves, size_t count, const char **ret_what);

#endif
