/*
 * api/routes.h
 *   The whole HTTP surface as one table: what there is, who may, what it takes.
 */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "api/exchange.h"

/* Where a handler runs. */
enum place {
    PLACE_HTTP,   /* on the HTTP thread: answers at once, or hands over itself */
    PLACE_READER, /* on a reader thread with a connection to the database */
};

enum body_rule { BODY_NONE, BODY_OPTIONAL, BODY_REQUIRED };

/* Which listeners serve a route. */
enum side { SIDE_API = 1 << 0, SIDE_ADMIN = 1 << 1, SIDE_BOTH = SIDE_API | SIDE_ADMIN };

/* What a route can answer with, for Accept. */
enum produces { PRODUCES_JSON, PRODUCES_TEXT, PRODUCES_PAGE, PRODUCES_SCHEMA, PRODUCES_EVENTS };

struct route {
    const char *method;
    const char *pattern; /* segments in braces match anything */
    enum role role;      /* on the API listener; the admin listener asks for no key */
    enum side side;
    enum place place;
    route_handler *handle;
    const char *query; /* known parameters, separated by spaces */
    enum body_rule body;
    uint32_t body_max;
    enum produces produces;
    int verb; /* what handlers of several routes tell them apart by */
};

extern const struct route ROUTES[];
extern const size_t ROUTE_COUNT;

enum route_match { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

/*
 * Find the route of a listener; `ret_arguments` gets what the braces stand for. ROUTE_NO_METHOD:
 * ret_allow has the methods that the path takes, as for an Allow header.
 */
enum { ALLOW_SIZE = 64 };
enum route_match routes_find(enum side side, struct bytes method, const struct uri *uri,
                             const struct route **ret_route,
                             struct bytes ret_arguments[ARGUMENTS_MAX], char ret_allow[ALLOW_SIZE]);

/* Is the parameter one that the route knows? */
bool route_knows(const struct route *route, struct bytes parameter);

/* Does it bring new work? */
bool route_starts_sagas(const struct route *route);

#endif
