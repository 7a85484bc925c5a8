/*
 * orchestrator/engine/events.c
 *   What happens to all sagas, in one order: for streams, and for saga.events on Kafka.
 *
 * Batches write their history once more (store/event_rows.h). One node of the namespace gives
 * places to what is committed and sends it, a page at a time: the next one goes when Kafka has the
 * one before, and only then the position moves. Whatever crashes, a page is sent again rather than
 * not at all; ce_id tells those who hear it twice. All this has a thread of its own with a low
 * priority, for sagas come first.
 */
#include "orchestrator/engine/internal.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/engine/history_item.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum {
    TICK_MS = 50,
    UNDER_WAY_MS = 5,  /* while a page is */
    FOLLOW_MS = 100,   /* another node leads */
    AGAIN_MS = 1000,   /* the database is away; another node may have gone */
    REFUSED_MS = 5000, /* Kafka did not take a page */
    PLACES_MAX = 1000,
    PAGE_ROWS = 64,
    PAGE_RECORDS = 2000, /* no further row is added then */
    FORGET_EVERY_MS = 60 * 1000,
    FORGET_ROWS = 500,
    KEPT_MS = 24 * 3600 * 1000,
    KEPT_UNSENT_MS = 7 * 24 * 3600 * 1000,
    STATEMENT_TIMEOUT_MS = 5000,
    COMPLAIN_EVERY_MS = 60 * 1000,
    NICE = 10,
};

struct teller {
    struct engine *engine;
    struct store *store;
    struct arena arena;
    bool leads;
    int64_t place;            /* the last one that was announced */
    int64_t sent;             /* Kafka has what is up to there */
    struct bus_receipt *page; /* under way; NULL: none */
    int64_t page_end;
    size_t page_records;
    /* monotonic */
    int64_t lead_at_ms, send_at_ms, forget_at_ms, complained_ms;
};

/* ---- sending ---- */

static bool is_wanted(const struct teller *teller, struct bytes type)
{
    static const char SAGA[] = "saga.";
    return teller->engine->options.events == EVENTS_ALL ||
           (type.size > sizeof SAGA - 1 && memcmp(type.data, SAGA, sizeof SAGA - 1) == 0);
}

static struct bytes text_of(const struct json_view *entry, const char *name)
{
    const struct json_view *const member = json_view_member(entry, name);
    return member == NULL || member->type != VIEW_STRING ? (struct bytes){0} : member->string;
}

/* False: the queue is full. */
static bool send_entry(struct teller *teller, const struct event_row *row, uint32_t seq,
                       const struct json_view *entry, const struct definition *definition)
{
    const struct bytes type = text_of(entry, "type");
    if (!is_wanted(teller, type)) return true;
    struct buffer value = buffer_in(&teller->arena);
    struct buffer name = buffer_in(&teller->arena);
    history_event(&value, row, seq, entry, definition, teller->engine->options.namespace_name);
    buffer_add_bytes(&name, definition->name);
    buffer_add_format(&name, "/%u", definition->version);
    const struct bus_event event = {
        .saga_id = row->saga_id,
        .seq = seq,
        .type = type,
        .step = text_of(entry, "step"),
        .definition = buffer_bytes(&name),
        .at_ms = row->history.at_ms,
        .value = buffer_bytes(&value),
    };
    teller->page_records++;
    return bus_send_event(teller->engine->bus, &event, teller->page);
}

static bool send_row(struct teller *teller, const struct event_row *row, bool *ret_taken,
                     struct err *err)
{
    const struct definition *definition = NULL;
    const struct json_view *entries = NULL;
    if (teller->engine->options.events == EVENTS_SAGAS &&
        !history_tells_of_saga(row->history.entries)) {
        return true;
    }
    if (!registry_by_id(teller->engine->options.registry, teller->store, row->definition_id,
                        &definition, err) ||
        !history_entries(&row->history, &teller->arena, &entries, err)) {
        return false;
    }
    assert(definition != NULL && entries != NULL);
    uint32_t seq = row->history.seq;
    for (const struct json_view *entry = entries->child; entry != NULL && *ret_taken;
         entry = entry->next) {
        *ret_taken = send_entry(teller, row, seq++, entry, definition);
    }
    return true;
}

/* What cannot be read is passed over, or nothing behind it would ever be sent. */
static bool pass_over(const struct event_batch *batch, const struct err *err)
{
    if (err->kind == ERR_UNAVAILABLE) return false;
    log_event(LOG_ERROR, "event_passed_over", "place=%lld reason=\"%s\"", (long long)batch->place,
              err->text);
    return true;
}

static bool send_batch(struct teller *teller, const struct event_batch *batch, bool *ret_taken,
                       struct err *err)
{
    struct event_row *rows = NULL;
    size_t count = 0;
    if (!event_batch_read(batch, &teller->arena, &rows, &count, err)) return pass_over(batch, err);
    for (size_t i = 0; i < count && *ret_taken; i++) {
        if (!send_row(teller, &rows[i], ret_taken, err) && !pass_over(batch, err)) return false;
    }
    return true;
}

/* What Kafka did not take is sent again, all of the page. */
static void drop_page(struct teller *teller, uint32_t pause_ms)
{
    bus_receipt_free(teller->page);
    teller->page = NULL;
    teller->send_at_ms = clock_monotonic_ms() + pause_ms;
}

static bool send_page(struct teller *teller, struct err *err)
{
    struct event_batch *batches = NULL;
    size_t count = 0;
    bool taken = true;
    arena_reset(&teller->arena);
    if (!store_events(teller->store, teller->sent + 1, PAGE_ROWS, &teller->arena, &batches, &count,
                      err)) {
        return false;
    }
    teller->page = bus_receipt_new();
    teller->page_end = count == 0 ? teller->place : teller->sent;
    teller->page_records = 0;
    for (size_t i = 0; i < count && taken && teller->page_records < PAGE_RECORDS; i++) {
        if (!send_batch(teller, &batches[i], &taken, err)) {
            drop_page(teller, REFUSED_MS);
            return false;
        }
        teller->page_end = batches[i].place;
    }
    if (!taken) drop_page(teller, AGAIN_MS);
    bus_flush_soon(teller->engine->bus);
    return true;
}

static void complain(struct teller *teller, const char *event, const char *reason)
{
    const int64_t now_ms = clock_monotonic_ms();
    if (teller->complained_ms != 0 && now_ms - teller->complained_ms < COMPLAIN_EVERY_MS) return;
    teller->complained_ms = now_ms;
    log_event(LOG_WARNING, event, "reason=\"%s\"", reason);
}

static bool end_page(struct teller *teller, bool delivered, struct err *err)
{
    drop_page(teller, delivered ? 0 : REFUSED_MS);
    if (!delivered) {
        complain(teller, "events_undelivered", "the broker did not take them; they are sent again");
        return true;
    }
    teller->sent = teller->page_end;
    return store_events_published(teller->store, teller->sent, err);
}

static bool publish(struct teller *teller, int64_t *ret_rest_ms, struct err *err)
{
    bool delivered = false;
    if (teller->page != NULL) {
        *ret_rest_ms = UNDER_WAY_MS;
        if (!bus_receipt_is_complete(teller->page, &delivered)) return true;
        if (!end_page(teller, delivered, err)) return false;
    }
    if (teller->sent >= teller->place || clock_monotonic_ms() < teller->send_at_ms ||
        atomic_load(&teller->engine->broker_lost)) {
        return true;
    }
    *ret_rest_ms = UNDER_WAY_MS;
    return send_page(teller, err);
}

/* ---- places ---- */

static bool publishes(const struct teller *teller)
{
    return teller->engine->options.events >= EVENTS_SAGAS;
}

/* Streams of all sagas wait under no saga's id (api/event_stream.c). */
static void announce(struct teller *teller, int64_t place)
{
    const struct engine *const engine = teller->engine;
    const struct uuid none = {0};
    if (place == teller->place) return;
    teller->place = place;
    if (engine->changed == NULL) return;
    engine->changed(engine->changed_context, &none, (uint32_t)place, SAGA_RUNNING);
}

static bool forget(struct teller *teller, struct err *err)
{
    size_t count = 0;
    if (clock_monotonic_ms() < teller->forget_at_ms) return true;
    const int64_t done = publishes(teller) ? teller->sent : teller->place;
    if (!store_events_forget(teller->store, done, KEPT_MS, KEPT_UNSENT_MS, FORGET_ROWS, &count,
                             err)) {
        return false;
    }
    teller->forget_at_ms =
        clock_monotonic_ms() + (count == FORGET_ROWS ? TICK_MS : FORGET_EVERY_MS);
    return true;
}

static bool lead(struct teller *teller, int64_t *ret_rest_ms, struct err *err)
{
    int64_t place = 0;
    *ret_rest_ms = TICK_MS;
    if (!store_events_place(teller->store, PLACES_MAX, &place, err)) return false;
    announce(teller, place);
    if (publishes(teller) && !publish(teller, ret_rest_ms, err)) return false;
    return forget(teller, err);
}

static bool follow(struct teller *teller, int64_t *ret_rest_ms, struct err *err)
{
    struct event_position position;
    *ret_rest_ms = FOLLOW_MS;
    if (!store_events_position(teller->store, &position, err)) return false;
    announce(teller, position.place);
    return true;
}

/* Whoever comes to lead goes on where the one before stood. */
static bool choose_leader(struct teller *teller, struct err *err)
{
    struct event_position position;
    bool leads = false;
    if (!teller->leads && clock_monotonic_ms() < teller->lead_at_ms) return true;
    if (!store_events_lead(teller->store, &leads, err)) return false;
    if (leads != teller->leads) drop_page(teller, 0);
    if (leads && !teller->leads) {
        if (!store_events_position(teller->store, &position, err)) return false;
        teller->sent = position.published;
    }
    teller->leads = leads;
    teller->lead_at_ms = clock_monotonic_ms() + AGAIN_MS;
    return true;
}

static bool tell(struct teller *teller, int64_t *ret_rest_ms, struct err *err)
{
    const struct store_options options = {
        .url = teller->engine->options.database_url,
        .namespace_name = teller->engine->options.namespace_name,
        .role = "events",
        .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
    };
    *ret_rest_ms = AGAIN_MS;
    if (teller->store == NULL && !store_open(&options, &teller->store, err)) return false;
    if (!choose_leader(teller, err)) return false;
    return teller->leads ? lead(teller, ret_rest_ms, err) : follow(teller, ret_rest_ms, err);
}

void *events_main(void *context)
{
    struct engine *const engine = context;
    struct teller teller = {.engine = engine};
    int64_t rest_ms = 0;
    (void)setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone, on Linux */
    do {
        struct err err;
        if (!tell(&teller, &rest_ms, &err)) {
            complain(&teller, "events_failed", err.text);
            rest_ms = AGAIN_MS;
        }
    } while (house_rest(engine, rest_ms));
    bus_receipt_free(teller.page);
    store_close(teller.store);
    arena_done(&teller.arena);
    return NULL;
}
