#include "orchestrator/store/sqlstate.h"

#include <string.h>

/* First match wins: single states before their class. */
static const struct sqlstate_meaning MEANINGS[] = {
    {"SG001", ERR_CONFLICT,    REMEDY_NONE     }, /* sagad.require */
    {"SG002", ERR_UNAVAILABLE, REMEDY_ENROL    }, /* sagad.require_writer */
    {"SG003", ERR_INVALID,     REMEDY_NONE     }, /* sagad.freeze */
    {"23505", ERR_CONFLICT,    REMEDY_NONE     }, /* unique_violation */
    {"55P03", ERR_UNAVAILABLE, REMEDY_NONE     }, /* lock_not_available */
    {"57014", ERR_UNAVAILABLE, REMEDY_NONE     }, /* query_canceled: statement_timeout */
    {"25006", ERR_UNAVAILABLE, REMEDY_RECONNECT}, /* read_only_sql_transaction: a standby now */
    {"26000", ERR_UNAVAILABLE, REMEDY_RECONNECT}, /* invalid_sql_statement_name: not prepared */
    {"0A000", ERR_UNAVAILABLE, REMEDY_RECONNECT}, /* "cached plan must not change result type" */
    {"54",    ERR_INTERNAL,    REMEDY_NONE     }, /* program limits: an index row too large */
    {"22",    ERR_INTERNAL,    REMEDY_NONE     }, /* data */
    {"23",    ERR_INTERNAL,    REMEDY_NONE     }, /* integrity */
    {"40",    ERR_UNAVAILABLE, REMEDY_AGAIN    }, /* deadlock, serialization */
    {"25",    ERR_UNAVAILABLE, REMEDY_RECONNECT}, /* transaction state: idle too long */
    {"08",    ERR_UNAVAILABLE, REMEDY_RECONNECT}, /* connection */
    {"28",    ERR_UNAVAILABLE, REMEDY_RECONNECT}, /* authorization: a password was rotated */
    {"53",    ERR_UNAVAILABLE, REMEDY_NONE     }, /* resources: disk full, memory */
    {"57",    ERR_UNAVAILABLE, REMEDY_RECONNECT}, /* shutting down, starting up */
    {"58",    ERR_UNAVAILABLE, REMEDY_NONE     }, /* system error */
    {"",      ERR_INTERNAL,    REMEDY_NONE     },
};

const struct sqlstate_meaning *sqlstate_meaning(const char *sqlstate)
{
    const struct sqlstate_meaning *meaning = MEANINGS;
    while (strncmp(sqlstate, meaning->prefix, strlen(meaning->prefix)) != 0) {
        meaning++;
    }
    return meaning;
}
