#include "api/remember.h"

#include "api/results.h"
#include "orchestrator/base/log.h"

#include <string.h>

static void answer_stored(struct exchange *exchange, const struct request_key *key,
                          const struct request_key_row *row)
{
    if (memcmp(row->fingerprint, key->fingerprint, FINGERPRINT_SIZE) != 0) {
        (void)exchange_problem(exchange, PROBLEM_KEY_REUSED,
                               "this Idempotency-Key stands for another request");
        return;
    }
    exchange_set_header(exchange, "Idempotent-Replayed", "true");
    (void)exchange_json(exchange, row->status,
                        row->answer.data == NULL ? BYTES("{}") : row->answer);
}

bool remember_replay(struct exchange *exchange, struct store *store)
{
    struct request_key key;
    struct request_key_row row = {0};
    struct err err;
    request_key_fill(exchange, &key);
    if (key.key.data == NULL) return false;
    if (!store_load_keys(store, &key.key, 1, &exchange->arena, &row, &err)) {
        (void)exchange_failed(exchange, &err, PROBLEM_NO_ROUTE);
        return true;
    }
    if (row.found) answer_stored(exchange, &key, &row);
    return row.found;
}

enum handled remember_answer(struct exchange *exchange, struct store *store)
{
    const struct response *const response = &exchange->response;
    struct request_key key;
    struct err err;
    bool unknown = false;
    request_key_fill(exchange, &key);
    if (key.key.data == NULL || response->status < 200 || response->status > 299) return ANSWERED;
    struct request_key_write write = {
        .key = key.key,
        .status = response->status,
        .answer = response->body,
    };
    memcpy(write.fingerprint, key.fingerprint, FINGERPRINT_SIZE);
    const struct store_batch batch = {.keys = &write, .key_count = 1};
    /* What was asked for is done; without its key a repetition finds it done. */
    if (!store_commit(store, &batch, &unknown, &err) && err.kind != ERR_CONFLICT) {
        log_event(LOG_WARNING, "key_not_stored", "request_id=%s reason=\"%s\"",
                  exchange->request_id, err.text);
    }
    return ANSWERED;
}
