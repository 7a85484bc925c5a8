/*
 * tests/simulation/world.h
 *   The real core in a model world: participants, a transport, a database, two nodes, an operator.
 *
 * One world is one seed: one definition in two versions, a handful of sagas, faults until
 * `heal_at_ms`, then a bounded time to converge. Everything random comes from the seed. Time is
 * virtual. A broken promise calls violate(), which prints the seed and ends the program.
 */
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include "sagas/machine/machine.h"

#include <stdint.h>
#include <stdnoreturn.h>

enum { NODES = 2, VERSIONS = 3, SAGAS_MAX = 16, STEPS_MAX = 7, ITEMS_MAX = 4, OPS = 3 };
enum { NEXT_VERSION = 2 }; /* that sagas are migrated to */
enum { SIGNAL_NAMES = 2, SIGNALS_TOLD_MAX = 64 };

/* Planted bugs: each must be found. */
enum mutant {
    MUTANT_NONE,
    MUTANT_NO_BARRIER,       /* the participant does every delivery anew */
    MUTANT_NO_TOMBSTONE,     /* an undo that finds nothing leaves no mark */
    MUTANT_EARLY_PUBLISH,    /* commands leave before the commit */
    MUTANT_NO_CAS,           /* the older state overwrites the newer one */
    MUTANT_TORN_COMMIT,      /* history is written, the state is lost */
    MUTANT_FORGETS_UNKNOWN,  /* an unanswered attempt is lost on the way to the database */
    MUTANT_EARLY_TIMER,      /* attempts start before their time */
    MUTANT_ONE_MORE,         /* a policy that allows one attempt more than the definition says */
    MUTANT_LOST_TIMER,       /* nobody looks for what is due */
    MUTANT_MISTAKES_REFUSED, /* refused steps are taken for succeeded ones */
    MUTANT_FORGETS_SIGNALS,  /* what was kept of signals is lost on the way to the database */
    MUTANT_DELAYS_DRIFT,     /* a delay begins anew whenever its saga is loaded */
    MUTANT_COUNTS_ANEW,      /* attempts of an action begin at 1 after its probe */
    MUTANT_RELEASES_HELD,    /* held steps are taken for failed ones */
    MUTANT_FORGETS_WORTH,    /* what effects are worth is not kept */
    MUTANT_FORGETS_VERSION,  /* the version that a saga was given is lost on the way to the database
                              */
    MUTANT_FORGETS_LINE,     /* a saga in line takes the lock for its own */
    MUTANT_CROWDS,           /* one place more than there are is given */
    MUTANT_LOST_TURN,        /* nobody looks for turns that were lost */
    MUTANT_TIME_RUNS,        /* the time of commands runs while their topic is paused */
    MUTANT_COUNT,
};

enum counter {
    COUNT_SAGAS,
    COUNT_SUCCEEDED,
    COUNT_COMPENSATED,
    COUNT_TERMINATED,
    COUNT_EVENTS,
    COUNT_CRASHES_BEFORE_COMMIT,
    COUNT_CRASHES_BEFORE_PUBLISH,
    COUNT_CRASHES_AFTER_PUBLISH,
    COUNT_CONFLICTS,
    COUNT_RESENDS,
    COUNT_CLOCK_JUMPS,
    COUNT_COMMANDS,
    COUNT_COMMANDS_LOST,
    COUNT_COMMANDS_TWICE,
    COUNT_REPLIES_LOST,
    COUNT_REPLIES_TWICE,
    COUNT_DUPLICATE,
    COUNT_LATE,
    COUNT_ILLEGAL_REPLIES,
    COUNT_BAD_REPLIES,
    COUNT_REFUSALS,
    COUNT_RETRIES,
    COUNT_STATED_DELAYS,
    COUNT_NEVER_ON,
    COUNT_PROGRESS,
    COUNT_PENDING,
    COUNT_TIMEOUTS,
    COUNT_UNKNOWN,
    COUNT_BAD_OUTPUTS,
    COUNT_COMPENSATIONS,
    COUNT_NOTHING_TO_UNDO,
    COUNT_WAIVED,
    COUNT_STUCK,
    COUNT_PAUSED,
    COUNT_CANCELLED,
    COUNT_SAGA_TIMEOUTS,
    COUNT_OVERDUE,
    COUNT_PIVOT_WON,
    COUNT_PAST_PIVOT,
    COUNT_IGNORED_FAILURES,
    COUNT_ITEMS,
    COUNT_SKIPPED,
    COUNT_EXPRESSION_ERRORS,
    COUNT_BARRIER_REPLAYS,
    COUNT_BARRIER_SKIPS,
    COUNT_BARRIER_REFUSALS,
    COUNT_CONTRADICTIONS,
    COUNT_SIGNALS_AWAITED,
    COUNT_SIGNALS_EARLY,
    COUNT_SIGNALS_AGAIN,
    COUNT_SIGNALS_REFUSED,
    COUNT_SIGNALS_UNKNOWN,
    COUNT_SIGNALS_MISSED,
    COUNT_DELAYS,
    COUNT_WAITS_DROPPED,
    COUNT_PROBES_DONE,
    COUNT_PROBES_NEVER_RAN,
    COUNT_PROBES_IN_VAIN,
    COUNT_PROBES_GOING_BACK,
    COUNT_HELD,
    COUNT_EXPOSED,
    COUNT_EXPOSED_UNKNOWN,
    COUNT_MIGRATED,
    COUNT_MIGRATIONS_REFUSED,
    COUNT_IN_LINE,
    COUNT_LINES_LEFT,
    COUNT_TURNS_FOUND,
    COUNT_TOPIC_WAITS,
    COUNT_TOPIC_RELEASES,
    COUNT_VERBS_APPLIED,
    COUNT_VERBS_REFUSED,
    COUNTER_COUNT,
};
extern uint64_t counters[COUNTER_COUNT];

/* ---- what a participant knows of one idempotency key ---- */

struct ledger {
    bool row[OPS]; /* the barrier's */
    uint32_t effects[OPS];
    struct bytes output;   /* of its action, as the reply or the operator gave it */
    uint64_t retried[OPS]; /* bits of the attempts that were answered with `retry` */
    bool refuses;          /* this key is refused whenever it is decided */
    bool never;            /* a probe was told that it never ran: it never will */
    int64_t due_at_ms;     /* of a delay that has begun; 0: none */
    bool tainted;          /* an operator or a lying participant spoke for it */
    bool undo_committed;   /* an undo of it was ever sent */
    bool is_worth_known;   /* of what declares an effect, once it was sent: */
    struct bytes worth;    /* its amount; absent: none */
    /* of each direction */
    uint32_t attempts_committed[OPS]; /* highest attempt in a committed decision */
    uint32_t counted[OPS];            /* of those, by policy, since an operator renewed them */
    bool stated[OPS];                 /* the next sending was asked for by the participant */
    int64_t first_sent_at_ms[OPS];
};

/* ---- the database's row of a saga ---- */

struct history_row {
    uint32_t seq, count, revision;
    int64_t at_ms;
    struct bytes entries, payload, output;
    struct history_row *next;
};

/* A signal that a saga has accepted. */
struct told_signal {
    unsigned name;
    uint32_t key; /* 0: none */
    struct bytes payload;
    bool taken;
};

/* Among the sagas that wait for each other. */
struct place_in_line {
    bool is_in, waits;
    bool told; /* the saga knows that it waits no more */
    uint64_t ticket;
    uint32_t places;
    struct bytes key;
};

struct saga_row {
    bool exists;
    int first_version; /* of the definition: the newest one when it started */
    int version;       /* the one that it has */
    struct uuid id;
    struct bytes input;
    int64_t created_at_ms, start_at_ms;
    enum saga_state state;
    bool paused;
    bool asks; /* a step is held, or waits for a signal without a timeout */
    struct told_signal told[SIGNALS_TOLD_MAX];
    uint32_t told_count;
    struct place_in_line line;
    uint32_t revision, history_seq;
    int64_t due_at_ms;
    int owner; /* node that wrote it last */
    struct bytes packed;
    struct history_row *history, **history_end;
    uint64_t wake;                                  /* the newest timer of it */
    bool held;                                      /* it waits for the topic */
    struct ledger ledger[STEPS_MAX][ITEMS_MAX + 1]; /* item + 1; 0: no foreach */
};

/* ---- a definition, and what is known of it apart from the core ---- */

struct version {
    struct definition *definition;
    /* above[a][b]: step a needs step b, directly or not */
    bool above[STEPS_MAX][STEPS_MAX];
    uint32_t max_attempts[STEPS_MAX][OPS]; /* as the text says */
};

/* ---- records under way ---- */

struct record {
    int saga;
    uint16_t step;
    int32_t index;
    enum op op;
    uint32_t attempt;
    /* of a reply */
    bool malformed;
    enum outcome outcome;
    bool delay_stated;
    uint64_t delay_ms;
    const char *code;
    struct bytes payload;
};

enum happening_kind {
    HAPPENS_START,
    HAPPENS_COMMAND, /* reaches the participant */
    HAPPENS_JOB,     /* a pending job of the participant is done */
    HAPPENS_REPLY,   /* reaches a node */
    HAPPENS_WAKE,    /* a node's timer for a saga */
    HAPPENS_SWEEP,   /* a node looks for what is due and was not taken */
    HAPPENS_RESTART,
    HAPPENS_CRASH,
    HAPPENS_JUMP, /* of a node's clock */
    HAPPENS_OPERATOR,
    HAPPENS_SIGNAL, /* record: step is its name, attempt its key */
    HAPPENS_MIGRATION,
    HAPPENS_TURN,    /* a node tells a saga that it waits no more */
    HAPPENS_PAUSE,   /* of the topic, for `wake` ms: nothing is sent, no time of a command runs */
    HAPPENS_RELEASE, /* the end of that, saga by saga */
};

struct happening {
    int64_t at_ms;
    uint64_t order;
    enum happening_kind kind;
    int node;
    uint64_t wake;
    struct record record;
};

struct cached {
    struct arena arena;
    struct saga *saga; /* NULL: not in memory */
};

struct node {
    bool up;
    int64_t clock_offset_ms;
    struct cached cache[SAGAS_MAX];
};

struct world {
    uint64_t seed;
    uint64_t random;
    enum mutant mutant;
    bool traces;
    struct arena arena;   /* of this world */
    struct arena scratch; /* of one event */
    /* The second one is registered while sagas run; sagas of the first one may get the third. */
    struct version version[VERSIONS];
    int saga_count;
    struct saga_row row[SAGAS_MAX];
    struct node node[NODES];
    struct happening *heap;
    size_t heap_count, heap_room;
    uint64_t order, wakes, tickets;
    int64_t now_ms, heal_at_ms;
    bool stands; /* the topic is paused */
};

/* ---- chance ---- */

uint64_t below(struct world *world, uint64_t limit);
bool chance(struct world *world, unsigned percent);
/* Only while faults last. */
bool fault(struct world *world, unsigned per_mille);
bool healed(const struct world *world);

/* ---- world.c ---- */

const struct version *version_of(const struct world *world, int saga);
void schedule(struct world *world, int64_t in_ms, struct happening happening);
noreturn __attribute__((format(printf, 3, 4))) void
violate(const struct world *world, const char *invariant, const char *format, ...);
__attribute__((format(printf, 2, 3))) void trace(const struct world *world, const char *format,
                                                 ...);
void run_world(uint64_t seed, enum mutant mutant, bool traces);
struct ledger *ledger_of(struct world *world, int saga, uint16_t step, int32_t index);

/* ---- definitions.c ---- */

void make_version(struct world *world, struct version *version);
/* One that sagas of `before` can go on under. */
void make_next_version(struct world *world, const struct version *before, struct version *version);
struct bytes make_input(struct world *world);
struct bytes signal_name(unsigned number);

/* ---- participant.c ---- */

void participant_takes(struct world *world, const struct record *command);
void participant_ends_job(struct world *world, const struct record *command);

/* ---- node.c ---- */

/* Publish commands of a committed decision. */
void transport_sends(struct world *world, int saga, const struct decision *decision);
void transport_replies(struct world *world, const struct record *reply, int64_t in_ms);
/* One event on one node: load, decide, commit, publish; `again` comes back if the node dies. */
void node_handles(struct world *world, int node, int saga, const struct event *event,
                  const struct happening *again);
int64_t node_now(const struct world *world, int node);
void node_crashes(struct world *world, int node);
void node_restarts(struct world *world, int node);
/* What waited for the topic goes. False: its node is away. */
bool node_releases(struct world *world, int saga);
/* A fresh copy from the row, in `arena`. */
struct saga *load_row(struct world *world, int saga, struct arena *arena);
void drop_caches(struct world *world, int node);
bool row_is_open(const struct saga_row *row);

/* ---- lines.c ---- */

/* With the commit of its saga; true: its line is to be settled after that. */
bool lines_change(struct world *world, int number, const struct saga *saga);
/* Give the free places of a line to the first in it, and send them word. */
void lines_settle(struct world *world, int node, struct bytes key);
void lines_tell(struct world *world, const struct happening *happening);
void lines_sweep(struct world *world, int node);
/* It stands in line, and there is no place for the first in it. */
bool waits_for_another(const struct world *world, const struct saga_row *row);

/* ---- checks.c, check_end.c ---- */

/* What one committed (or repeated) decision must have kept. */
struct decided;
void check_decision(struct world *world, const struct decided *decided);
void check_unchanged(struct world *world, const struct saga *before, struct saga *after,
                     const struct decision *decision);
void check_end(struct world *world);

/* ---- fold.c ---- */

/* S3: revisions and rows without gaps, and the state again from the history alone. */
void check_history(struct world *world, int number, const struct saga *saga);
/* Print the cells of both tables that no history has shown; how many there are. */
size_t report_unseen_cells(void);
/* check_why.c: an answer for every state, whole. */
void check_why(struct world *world, const struct saga *saga, int node);
/* What no saga ever waited for, and sentences that were never said; how many. */
size_t report_unsaid(void);

#endif
