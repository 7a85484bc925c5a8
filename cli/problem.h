/*
 * cli/problem.h
 *   A refusal (RFC 9457) as a person reads it: one line, the places, the cure.
 */
#ifndef CLI_PROBLEM_H
#define CLI_PROBLEM_H

#include "cli/client.h"

/*
 * On stderr; also when the answer is no problem document or none came. The cure is on the page that
 * `type` names, so the server is asked once more, in passing.
 */
void problem_tell(struct client *client, const struct answer *answer, struct arena *arena);

/* `errors` of a problem or of a validation: a line for each place, after `prefix`. */
void problem_tell_places(const char *prefix, const struct json_view *errors);

/* "not-found: there is no such saga": one line for a table. */
struct bytes problem_line(const struct json_view *problem, struct arena *arena);

#endif
