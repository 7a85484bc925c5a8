#include "api/saga_read.h"

#include "api/server.h"
#include "orchestrator/engine/registry.h"
#include "sagas/machine/codec.h"

bool saga_of_row(struct exchange *exchange, struct store *store, const struct saga_row *row,
                 struct saga **ret_saga, struct err *err)
{
    const struct definition *definition = NULL;
    const char *what = NULL;
    if (!registry_by_id(exchange->api->registry, store, row->definition_id, &definition, err)) {
        return false;
    }

    struct saga *const saga = saga_new(&exchange->arena, definition);
    saga->id = row->id;
    saga->input = row->input;
    saga->labels = row->labels;
    saga->attributes = row->attributes;
    saga->trace = row->trace;
    saga->trace_state = row->trace_state;
    saga->created_at_ms = row->created_at_ms;
    saga->start_at_ms = row->start_at_ms;
    if (!saga_unpack(saga, row->packed, &what)) {
        return err_set(err, ERR_INTERNAL, "a saga cannot be read: %s", what);
    }
    for (size_t i = 0; i < row->payload_count; i++) {
        saga_attach(saga, row->payloads[i].seq, row->payloads[i].payload, row->payloads[i].output);
    }
    saga->attention = row->attention; /* the runtime adds reasons of its own to the row */
    *ret_saga = saga;
    return true;
}

bool saga_read(struct exchange *exchange, struct store *store, const struct uuid *id,
               struct saga **ret_saga, struct err *err)
{
    struct saga_row row = {0};
    if (!store_load(store, id, 1, &exchange->arena, &row, err)) return false;
    if (!row.found) return err_set(err, ERR_NOT_FOUND, "no such saga");
    return saga_of_row(exchange, store, &row, ret_saga, err);
}
