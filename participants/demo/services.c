#include "participants/demo/services.h"

#include "participants/demo/shop_sql.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GATEWAY_DOWN_ATTEMPTS = 3 };

/* $1 key, $2 op, $3 the input as it came, $4 ce_type; the answer is what the statement returns. */
struct service {
    const char *type;
    bool (*refuses)(const json_t *input, unsigned attempt, struct participant_reply *ret_reply);
    const struct sql *effect;
};

static const char *text_of(const json_t *input, const char *name)
{
    const char *text = json_string_value(json_object_get(input, name));
    return text != NULL ? text : "";
}

static bool card_fails(const json_t *input, unsigned attempt, struct participant_reply *ret_reply)
{
    const char *card = text_of(input, "card");
    if (strcmp(card, "declined") == 0) {
        *ret_reply = participant_fail("card_declined", "The bank said no.");
        return true;
    }
    if (strcmp(card, "down") == 0 && attempt <= GATEWAY_DOWN_ATTEMPTS) {
        *ret_reply = participant_retry("gateway_down", 0);
        return true;
    }
    return false;
}

static bool region_refuses(const json_t *input, unsigned attempt,
                           struct participant_reply *ret_reply)
{
    (void)attempt;
    const char *region = text_of(input, "region");
    if (region[0] == '\0' || strcmp(region, text_of(input, "refuse_region")) != 0) return false;
    *ret_reply = participant_fail("rights_conflict", "Somebody else has the rights there.");
    return true;
}

/* clang-format off */
static const struct service SERVICES[] = {
    {"inventory.reserve.v1",            NULL,           &SQL_MOVE_STOCK},
    {"inventory.release.v1",            NULL,           &SQL_MOVE_STOCK},
    {"risk.check.v1",                   NULL,           &SQL_CHECK_RISK},
    {"payments.charge.v1",              card_fails,     &SQL_MOVE_MONEY},
    {"payments.refund.v1",              NULL,           &SQL_MOVE_MONEY},
    {"shipping.book.v1",                NULL,           &SQL_BOOK_PARCEL},
    {"mail.send.v1",                    NULL,           &SQL_SEND_MAIL},
    {"content.rights.set.v1",           NULL,           &SQL_CHANGE_CONTENT},
    {"content.rights.restore.v1",       NULL,           &SQL_CHANGE_CONTENT},
    {"content.catalogue.set.v1",        NULL,           &SQL_CHANGE_CONTENT},
    {"content.catalogue.restore.v1",    NULL,           &SQL_CHANGE_CONTENT},
    {"content.artwork.set.v1",          NULL,           &SQL_CHANGE_CONTENT},
    {"content.artwork.restore.v1",      NULL,           &SQL_CHANGE_CONTENT},
    {"content.availability.set.v1",     region_refuses, &SQL_CHANGE_CONTENT},
    {"content.availability.restore.v1", NULL,           &SQL_CHANGE_CONTENT},
    {"content.search.set.v1",           NULL,           &SQL_CHANGE_CONTENT},
    {"content.search.restore.v1",       NULL,           &SQL_CHANGE_CONTENT},
    {"content.cache.set.v1",            NULL,           &SQL_CHANGE_CONTENT},
};
/* clang-format on */

static const struct service *service_of(const char *type)
{
    for (size_t i = 0; i < sizeof SERVICES / sizeof SERVICES[0]; i++) {
        if (strcmp(SERVICES[i].type, type) == 0) return &SERVICES[i];
    }
    return NULL;
}

/* An undo answers {}: nobody needs more of it. */
static struct participant_reply take_effect(const struct service *service,
                                            const struct participant_command *command)
{
    const char *const values[] = {command->key, command->op, command->value, command->type};
    PGresult *result =
        PQexecParams(command->database, service->effect->text, 4, NULL, values, NULL, NULL, 0);
    struct participant_reply reply;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        (void)fprintf(stderr, "%s %s: %s", command->type, command->key,
                      PQresultErrorMessage(result));
        reply = participant_retry("database_error", 0);
    } else if (strcmp(command->op, "action") == 0 && PQntuples(result) > 0) {
        reply = participant_succeed("%s", PQgetvalue(result, 0, 0));
    } else {
        reply = participant_succeed("{}");
    }
    PQclear(result);
    return reply;
}

struct participant_reply service_handle(const struct participant_command *command, void *unused)
{
    (void)unused;
    const struct service *service = service_of(command->type);
    if (service == NULL) return participant_fail("unknown_type", command->type);

    json_t *input = json_loads(command->value, JSON_DECODE_ANY, NULL);
    struct participant_reply reply;
    const bool refused =
        service->refuses != NULL && service->refuses(input, command->attempt, &reply);
    json_decref(input);
    return refused ? reply : take_effect(service, command);
}

bool service_loses_answer(const struct participant_command *command)
{
    if (strcmp(command->type, "payments.charge.v1") != 0) return false;
    json_t *input = json_loads(command->value, JSON_DECODE_ANY, NULL);
    const bool loses = strcmp(text_of(input, "card"), "timeout") == 0;
    json_decref(input);
    return loses;
}
