/*
 * sagas/machine/turn.h
 *   One decision in the making: what the files of sagas/machine/ share. For them only.
 *
 * An event changes a few runs; then carry_on() looks at the whole saga and does everything that
 * has become possible, until nothing moves any more. A change of state goes through move_saga or
 * move_run, which look it up in the tables and write its history.
 */
#ifndef SAGAS_MACHINE_TURN_H
#define SAGAS_MACHINE_TURN_H

#include "sagas/machine/machine.h"
#include "sagas/machine/tables.h"

struct turn {
    struct saga *saga;
    const struct event *event;
    struct decide_context *context;
    struct decision *decision;
    struct buffer history; /* packed entries */
    struct command *commands;
    size_t command_room;
    bool changed; /* the event is applied */
    bool moved;   /* since carry_on last looked */
    struct expression_step *value_steps;
    bool values_fresh;
};

/* One run and where it stands. */
struct run_ref {
    const struct step *step;
    struct step_runs *runs;
    struct step_run *run;
    int32_t index; /* or INDEX_NONE */
};

/* ---- queries.c: what follows from the state, nothing of it stored ---- */

struct run_ref run_ref_at(const struct saga *saga, size_t position, uint32_t item);
/* Every run that a saga shows, in order: struct run_walk walk = walk_of(saga); while
 * (walk_on(&walk)) */
struct run_walk {
    const struct saga *saga;
    size_t position;
    uint32_t next;
    struct run_ref ref; /* where it stands */
};
struct run_walk walk_of(const struct saga *saga);
bool walk_on(struct run_walk *walk);
/* How many runs a step shows: `count`, and one for a foreach over nothing. */
uint32_t runs_shown(const struct step_runs *runs);
/* Running or compensating, also while stuck. */
enum saga_state saga_direction(const struct saga *saga);
bool saga_is_past_pivot(const struct saga *saga);
/*
 * The pivot may have taken effect and nobody knows yet. There is no way back from it, so a turn to
 * undo waits until it is known: the pivot's success wins.
 */
bool pivot_is_open(const struct saga *saga);
/* The undo is decided and waits for the pivot; nothing else is sent meanwhile. */
bool saga_is_turning(const struct saga *saga);
/* decide.c: derived from the runs, but for what somebody has to have seen. */
uint32_t attention_of(const struct saga *saga);
/* False while a pause or a turn to undo holds the commands of this step back. */
bool may_send(const struct saga *saga, const struct step *step);
/* The same of a run's next attempt: a probe only asks, so a turn to undo does not hold it back. */
bool may_send_next(const struct saga *saga, const struct run_ref *ref);

enum standing {
    STANDING_UNREACHED,
    STANDING_OPEN,   /* something is out or may be sent */
    STANDING_FAILED, /* a run failed or is unknown, and nothing is out any more */
    STANDING_DONE,   /* succeeded or skipped */
};
enum standing step_standing(const struct step_runs *runs);
/* A run of it failed or is unknown: no further sending of its actions. */
bool step_is_doomed(const struct step_runs *runs);
bool step_has_unknown(const struct step_runs *runs);

enum reaction {
    REACT_PASS, /* ignored: what depends on it goes on */
    REACT_HOLD, /* an operator decides, the other branches go on */
    REACT_PAUSE,
    REACT_TURN_BACK,
    REACT_OPERATOR,
};
/* To a step that stands failed while the saga goes forward. */
enum reaction step_reaction(const struct saga *saga, const struct step *step);
bool run_needs_operator(const struct saga *saga, const struct run_ref *ref);
/* Failed or unknown, and the definition's pause waits for what an operator says. */
bool run_is_held(const struct saga *saga, const struct run_ref *ref);
/* Its command is out, or it waits for a time; a wait without a timeout has no deadline. */
bool run_is_out(const struct step_run *run);
/* A signal or a delay that has begun: dispatched, and nothing of it is out. */
bool run_only_waits(const struct run_ref *ref);
/* Unknown, and the definition says that an operator decides what it is. */
bool run_is_on_hold(const struct run_ref *ref);
/* Nothing of it is left to undo or to wait for, the saga being undone. */
bool run_is_settled_back(const struct step_run *run);
/* Which steps are through, themselves and all before them: saga forward. `ret` has step_count
 * places. */
void find_passed(const struct saga *saga, bool *ret);
/* Which steps have nothing after them that is still to be undone or awaited: saga back. */
void find_clear(const struct saga *saga, bool *ret);
/* The state that a step shows as a whole: steps.<id>.state. */
enum step_state step_shown_state(const struct step_runs *runs);
const struct send *run_send(const struct step *step, enum op op);

/* ---- history.c ---- */

/* Members of an entry's detail; what is absent or zero is left out. */
struct detail {
    struct bytes verb, outcome, reason, code, text;
    struct bytes progress; /* JSON number */
    struct bytes message;
    const char *state;
    bool paused, again, stated;
    bool counts_items;
    uint32_t items;
    uint64_t delay_ms;
    int64_t next_attempt_at_ms, deadline_at_ms, start_at_ms;
    struct bytes name; /* of a signal */
    struct bytes key;  /* likewise, or of a lock */
    struct bytes forked_from, from_step;
    struct bytes effect; /* JSON object */
    bool migrates;       /* the next three are told */
    uint32_t version_before, version;
    struct bytes step_map; /* JSON object */
    bool by_actor;         /* who did it is told, though the entry is of a run */
};

/* `ref` NULL: an entry of the saga. */
void record(struct turn *turn, const char *type, const struct run_ref *ref,
            const struct detail *detail);
struct detail detail_of_error(const struct saga_error *error);
void close_history(struct turn *turn);

/* ---- move.c ---- */

void move_saga(struct turn *turn, enum saga_event event, const struct detail *detail);
void move_run(struct turn *turn, const struct run_ref *ref, enum run_event event,
              const struct detail *detail);
/* The longest part of at most `max` bytes that ends at a character. */
struct bytes cut_text(struct bytes text, size_t max);
/* Codes are cut to what a code may be; the text is copied to the saga, cut at a character. */
void set_error(struct turn *turn, struct saga_error *error, struct bytes code, struct bytes text);

/* ---- values.c: what expressions see ---- */

bool condition_holds(struct turn *turn, const struct step *step, bool *ret_holds,
                     struct expression_error *ret_error);
/* The list of a foreach; *ret_code is set with the error. */
bool list_items(struct turn *turn, const struct step *step, uint32_t *ret_count,
                const char **ret_code, struct expression_error *ret_error);
/* Key, value and headers of the run's command in direction `op`. */
bool make_command(struct turn *turn, const struct run_ref *ref, enum op op,
                  struct command *ret_command, struct expression_error *ret_error);
/* What the run's expressions see, its item too. */
bool run_values(struct turn *turn, const struct run_ref *ref, struct expression_values *ret_values,
                struct expression_error *ret_error);
/* When a delay ends. */
bool delay_end(struct turn *turn, const struct run_ref *ref, int64_t *ret_at_ms,
               struct expression_error *ret_error);
bool saga_output(struct turn *turn, struct bytes *ret_output, struct expression_error *ret_error);

/* ---- exposure.c ---- */

/*
 * The run is sent first: what its declared effect comes to. What goes wrong with that is told in
 * the entry and holds nothing back: the effect counts without an amount.
 */
void note_effect(struct turn *turn, const struct run_ref *ref, struct detail *detail);

/* ---- dispatch.c: sending, by kind of step ---- */

/* Send the run's next attempt; if its command cannot be made it fails instead. */
void begin(struct turn *turn, const struct run_ref *ref, enum op op);
/* The same attempt once more, as the transport may have lost it. */
void begin_again(struct turn *turn, const struct run_ref *ref);
/* Its deadline has passed. */
void fall_due(struct turn *turn, const struct run_ref *ref);

/* ---- settle.c: how a run ends ---- */

struct trouble { /* why an attempt failed */
    struct bytes code, text;
    bool delay_stated;
    uint64_t delay_ms;
};
void run_succeed(struct turn *turn, const struct run_ref *ref, struct bytes output);
/* Refused: no attempt had an effect, or the undo was declined. */
void run_refuse(struct turn *turn, const struct run_ref *ref, const struct trouble *trouble);
/*
 * Success was said, so the effect happened, but the output is not what the definition wants: undone
 * like one whose outcome is unknown, which may read the output.
 */
void run_reject(struct turn *turn, const struct run_ref *ref, struct bytes output,
                const struct trouble *trouble);
/* Plan the next attempt by policy, or end. */
void run_retry(struct turn *turn, const struct run_ref *ref, const struct trouble *trouble);
/* End without another attempt; what earlier ones left open decides how. */
void run_give_up(struct turn *turn, const struct run_ref *ref);
/* The same, but where the definition says so whoever knows is asked first. */
void run_ask_or_give_up(struct turn *turn, const struct run_ref *ref);
/* A probe knows, or nobody does: the run speaks of its action again. */
void run_leave_probe(struct step_run *run);
/* A wait ends well. */
void run_end_wait(struct turn *turn, const struct run_ref *ref, const struct detail *detail);
/* Nobody needs a wait any more. */
void run_drop(struct turn *turn, const struct run_ref *ref, struct bytes reason);
void run_skip(struct turn *turn, const struct run_ref *ref, struct bytes output,
              struct bytes reason);
/* Fresh counters; numbers of attempts go on, so that ids stay unique. */
void run_renew(struct step_run *run);
void run_face(struct step_run *run, enum op op);

/* ---- carry.c, forward.c, back.c: everything that has become possible ---- */

void carry_on(struct turn *turn);
void go_forward(struct turn *turn);
void go_back(struct turn *turn);
/* What was sent before and waits for another attempt gets none. */
void stop_attempts(struct turn *turn, size_t position);
/*
 * The saga is to be undone: from here on, or once it is known that the pivot did not happen.
 * `step` NULL: the saga as a whole is the cause.
 */
void turn_back(struct turn *turn, const struct step *step, const struct saga_error *cause);
/* A turn that waited for the pivot: take it, or forget it. */
void settle_turn(struct turn *turn);
void finish(struct turn *turn, enum saga_event event, const struct detail *detail);

/* ---- replies.c ---- */

/* "the output at /id is missing (and 2 more)" */
struct bytes fault_text(const char *what, const struct schema_report *report, struct arena *arena);

/* ---- fold_migrate.c ---- */

struct fold;
struct fold_step *fold_notes(struct arena *arena, const struct definition *definition);
/* By the detail of an entry saga.migrated; what is wrong with it, NULL: nothing. */
const char *fold_version(struct fold *fold, const struct json_view *detail);

/* ---- signals.c ---- */

/* Runs that wait take what was kept for them, the oldest signal first. */
void deliver_signals(struct turn *turn);
/* Room for `count` signals at least. */
void make_room_for_signals(struct saga *saga, uint32_t count);

/* ---- locks.c ---- */

/* True: what is to start gets in line first, or stands there. False: nothing is in its way. */
bool must_wait_for_lock(struct turn *turn);
void release_lock(struct saga *saga);

/* ---- timers.c ---- */

/* Start what waits for no more than its time, where that has come. */
void start_due(struct turn *turn);

/* Send the attempts whose time has come and that nothing holds back. */
void fire_attempts(struct turn *turn);
/* Not paused any more; how the deadline goes on is the caller's to say. */
void end_pause(struct turn *turn, struct bytes reason);
void restart_deadline(struct turn *turn);
void resume(struct turn *turn);

/* ---- the events: each returns its verdict, and `changed` says whether it is applied ---- */

enum verdict take_start(struct turn *turn);
enum verdict take_timer(struct turn *turn);
enum verdict take_resend(struct turn *turn);
enum verdict take_signal(struct turn *turn);
enum verdict take_granted(struct turn *turn);
enum verdict take_reply(struct turn *turn);
enum verdict take_bad_reply(struct turn *turn);
enum verdict take_saga_verb(struct turn *turn);
enum verdict take_step_verb(struct turn *turn);
enum verdict take_migrate(struct turn *turn);

/* The run that the event names; false: there is none. */
bool find_run(const struct turn *turn, struct run_ref *ret_ref);

#endif
