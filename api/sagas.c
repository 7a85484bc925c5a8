/*
 * api/sagas.c
 *   GET /v1/sagas/{id} and what hangs below it, but for the history.
 */
#include "api/handlers.h"
#include "api/locks.h"
#include "api/render.h"
#include "api/results.h"
#include "api/saga_read.h"
#include "api/server.h"
#include "api/text.h"
#include "api/waiters.h"
#include "api/why_topic.h"
#include "orchestrator/base/clock.h"

enum { LAG_MS = 300 }; /* how long a broker may take to tell a lag */

static struct bytes if_none_match(const struct exchange *exchange)
{
    return exchange_header_in(exchange, "If-None-Match");
}

static void set_etag(struct exchange *exchange, const struct saga *saga)
{
    exchange_set_header_format(exchange, "ETag", "\"%u\"", saga->revision);
}

/* Has the client this revision already? */
static bool is_known(const struct exchange *exchange, const struct saga *saga)
{
    return text_etags_hold(if_none_match(exchange), saga->revision);
}

static enum handled not_modified(struct exchange *exchange, const struct saga *saga)
{
    set_etag(exchange, saga);
    exchange->response.status = 304;
    return ANSWERED;
}

static enum handled show(struct exchange *exchange, const struct saga *saga)
{
    return is_known(exchange, saga) ? not_modified(exchange, saga)
                                    : result_saga(exchange, 200, saga);
}

/* ---- long polls ---- */

/* `wait`: until the revision is another one than that of If-None-Match, without one until the end.
 */
static bool read_wait(struct exchange *exchange)
{
    const struct bytes wait = uri_parameter(&exchange->uri, "wait");
    if (wait.data == NULL) return true;
    if (!text_seconds(wait, &exchange->wait_ms)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY, "wait is a number of seconds");
    }
    if (exchange->wait_ms > WAIT_MS_MAX) exchange->wait_ms = WAIT_MS_MAX;
    exchange->wait.what = if_none_match(exchange).data == NULL ? WAIT_END : WAIT_CHANGE;
    exchange->wait.until_ms = clock_monotonic_ms() + exchange->wait_ms;
    return true;
}

static bool is_over(struct exchange *exchange, const struct saga *saga)
{
    struct wait_entry *const wait = &exchange->wait;
    if (wait->expired || clock_monotonic_ms() >= wait->until_ms) return true;
    if (wait->what == WAIT_CHANGE) return !is_known(exchange, saga);
    return waiters_is_met(wait, saga->revision, saga->state);
}

static enum handled show_waiting(struct exchange *exchange, struct store *store)
{
    struct waiters *const waiters = exchange->api->waiters;
    for (;;) {
        struct saga *saga = NULL;
        struct err err;
        waiters_add(waiters, exchange);
        const bool is_read = saga_read(exchange, store, &exchange->wait.saga_id, &saga, &err);
        if (!is_read || is_over(exchange, saga)) {
            waiters_remove(waiters, exchange);
            return is_read ? show(exchange, saga)
                           : exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
        }
        if (waiters_park(waiters, exchange, saga->revision)) return LATER;
    }
}

enum handled saga_waited(struct exchange *exchange, struct store *store)
{
    return bytes_equal_text(exchange->method, "GET") ? show_waiting(exchange, store)
                                                     : saga_start_waited(exchange, store);
}

enum handled saga_show(struct exchange *exchange, struct store *store)
{
    struct saga *saga = NULL;
    struct err err;
    if (!exchange_saga_id(exchange, &exchange->wait.saga_id) || !read_wait(exchange)) {
        return exchange_refused(exchange);
    }
    if (exchange->wait_ms > 0) return show_waiting(exchange, store);
    if (!saga_read(exchange, store, &exchange->wait.saga_id, &saga, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    return show(exchange, saga);
}

/* ---- below a saga ---- */

static bool find_saga(struct exchange *exchange, struct store *store, struct saga **ret_saga)
{
    struct uuid id;
    struct err err;
    if (!exchange_saga_id(exchange, &id)) {
        (void)exchange_refused(exchange);
        return false;
    }
    if (saga_read(exchange, store, &id, ret_saga, &err)) return true;
    (void)exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    return false;
}

static enum handled show_steps(struct exchange *exchange, const struct saga *saga, int only)
{
    struct buffer body = buffer_in(&exchange->arena);
    if (is_known(exchange, saga)) return not_modified(exchange, saga);
    render_steps(&body, saga, only);
    set_etag(exchange, saga);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

enum handled saga_steps(struct exchange *exchange, struct store *store)
{
    struct saga *saga = NULL;
    if (!find_saga(exchange, store, &saga)) return ANSWERED;
    return show_steps(exchange, saga, -1);
}

enum handled saga_step(struct exchange *exchange, struct store *store)
{
    struct saga *saga = NULL;
    if (!find_saga(exchange, store, &saga)) return ANSWERED;
    const int step = definition_find_step(saga->definition, exchange->argument[1]);
    if (step < 0) {
        return exchange_problem(exchange, PROBLEM_STEP_NOT_FOUND, "the saga has no such step");
    }
    return show_steps(exchange, saga, step);
}

enum handled saga_why_show(struct exchange *exchange, struct store *store)
{
    struct saga *saga = NULL;
    struct why why;
    struct why_more more = {-1, -1, NULL};
    struct err err;
    struct buffer body = buffer_in(&exchange->arena);
    struct bus *const bus = exchange->api->bus;
    if (!find_saga(exchange, store, &saga)) return ANSWERED;
    saga_why(saga, clock_wall_ms(), &exchange->arena, &why);
    if (!locks_tell_line(exchange, store, saga, &why, &more, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    if (why.topic.data != NULL && why.key.data != NULL) {
        more.partition = bus_partition_of(bus, why.topic, why.key);
    }
    if (why.topic.data != NULL && bus_is_up(bus)) {
        more.group_lag = bus_topic_lag(bus, why.topic, LAG_MS);
    }
    why_add_topic(exchange, saga, &why);
    render_why(&body, saga, &why, &more);
    set_etag(exchange, saga);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}
