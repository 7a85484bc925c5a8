/*
 * cli/talk.h
 *   What is said to the person, on stderr, and how a command ended.
 *
 * Data goes to stdout and nothing else does. Whoever finds an error tells it, once, and
 * returns the status; whoever passes the status on is silent.
 */
#ifndef CLI_TALK_H
#define CLI_TALK_H

/* Exit codes: a promise to scripts. */
enum status {
    STATUS_OK = 0,
    STATUS_ERROR = 1,
    STATUS_USAGE = 2,
    STATUS_NOT_FOUND = 3,
    STATUS_CONFLICT = 4, /* the state does not allow it */
    STATUS_ENDED = 5,    /* the saga ended, but not as wished */
    STATUS_TIMEOUT = 124,
};

/* One line on stderr; control characters are made harmless. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);

/* "sagactl: ..." on stderr; returns `status`, so that failing is one line. */
__attribute__((format(printf, 2, 3))) enum status tell_error(enum status status, const char *format,
                                                             ...);

/* The graver of two results: the first that is not STATUS_OK. */
enum status status_first(enum status a, enum status b);

#endif
