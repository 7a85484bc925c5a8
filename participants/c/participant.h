/*
 * participants/c/participant.h
 *   A saga participant: give it a table of handlers and let it run.
 *
 *     static struct participant_reply charge(const struct participant_command *command, void
 * *context)
 *     {
 *         (void)context;
 *         if (command->value_size > 1000) return participant_fail("too_large", "No such cart.");
 *         return participant_succeed("{\"payment\":\"p-%s\"}", command->saga);
 *     }
 *     ...
 *     const struct participant_handler handlers[] = {{"com.example.charge", charge}};
 *     const struct participant_options options = {.brokers = "127.0.0.1:9092", .group = "payments",
 *         .topics = "payments.commands", .handlers = handlers, .handler_count = 1};
 *     return participant_run(&options);
 *
 * What it does for you: it echoes the token, sets the outcome and sends the reply to where the
 * command says. Offsets are committed only after the broker has the replies, so a crash makes
 * commands come again, never get lost: commands may come more than once. With `database` set, the
 * barrier (participants/sql) makes each take effect once.
 */
#ifndef PARTICIPANTS_C_PARTICIPANT_H
#define PARTICIPANTS_C_PARTICIPANT_H

#include <libpq-fe.h>
#include <signal.h>
#include <stddef.h>

struct participant;

/* A command; borrowed for the time of the call. Texts are "" where the header is missing. */
struct participant_command {
    const char *saga;  /* ce_subject */
    const char *step;  /* ce_sagastep */
    const char *op;    /* "action", "compensate" or "probe" */
    const char *type;  /* ce_type */
    const char *key;   /* ce_idempotencykey: the same for every attempt and for the undo */
    unsigned attempt;  /* ce_sagaattempt */
    const char *value; /* the input, JSON; NUL-terminated */
    size_t value_size;
    /*
     * With `database`: an open transaction between saga_begin and saga_done. Effects made in it are
     * kept exactly when the outcome is success. Do not end it. NULL without a database.
     */
    PGconn *database;
    struct participant *participant;
};

enum participant_outcome {
    PARTICIPANT_SUCCESS,
    PARTICIPANT_FAILURE,  /* a refusal: no effect, and asking again will not help */
    PARTICIPANT_RETRY,    /* technical: no effect, try again */
    PARTICIPANT_PROGRESS, /* still at it: extends the deadline */
    PARTICIPANT_PENDING,  /* accepted; the result comes later, see participant_keep */
    PARTICIPANT_LATER,    /* say nothing now */
};

struct participant_reply {
    enum participant_outcome outcome;
    char *value;   /* JSON text from malloc, NULL: none; whoever takes the reply frees it */
    char code[65]; /* of failure and retry: [a-z0-9_]{1,64} */
    unsigned retry_after_ms; /* of retry; 0: by the policy of the definition */
};

/* `format` prints the output as JSON; NULL: no output. */
__attribute__((format(printf, 1, 2))) struct participant_reply
participant_succeed(const char *format, ...);
/* `detail` is plain text for people, may be NULL. */
struct participant_reply participant_fail(const char *code, const char *detail);
struct participant_reply participant_retry(const char *code, unsigned after_ms);
struct participant_reply participant_say(enum participant_outcome outcome);

typedef struct participant_reply participant_handle(const struct participant_command *command,
                                                    void *context);

struct participant_handler {
    const char *type; /* ce_type; "*" takes whatever no other handler does */
    participant_handle *handle;
};

struct participant_options {
    const char *brokers;
    const char *group;
    const char *topics; /* comma-separated */
    const struct participant_handler *handlers;
    size_t handler_count;
    void *context; /* passed to each handler */
    const char
        *database; /* libpq connection string of the participant's own database; NULL: no barrier */
    const char *settings; /* further librdkafka settings "name=value,name=value"; NULL */
    const volatile sig_atomic_t *stop;  /* ends participant_run when not 0; NULL: never */
    void (*on_assigned)(void *context); /* partitions were given to us, maybe none; NULL */
};

/* Blocks until *stop. 0, or 1 when it could not start (the reason is on stderr). */
int participant_run(const struct participant_options *options);

/* The same in three, for a program that answers from other threads. NULL: could not start. */
struct participant *participant_open(const struct participant_options *options);
void participant_loop(struct participant *participant);
void participant_close(struct participant *participant);

/*
 * Answer a command after its handler returned PARTICIPANT_PENDING or PARTICIPANT_LATER: keep what
 * the reply needs, then answer, from any thread, before participant_close. Any number of
 * PARTICIPANT_PROGRESS may come before the last answer. Should the program end in between, sagad
 * asks again when the step's timeout is over. Not for commands with a database.
 */
struct participant_promise;
struct participant_promise *participant_keep(const struct participant_command *command);
void participant_answer(struct participant_promise *promise, struct participant_reply reply);
void participant_promise_free(struct participant_promise *promise);

#endif
