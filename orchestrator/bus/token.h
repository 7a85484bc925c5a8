/*
 * orchestrator/bus/token.h
 *   The reply token: which command a reply answers, authenticated.
 *
 * base64url (no padding) of: format 1, saga id 16, op 1, attempt 4, index 4, step id 1 to 100,
 * tag 16. The tag is a keyed BLAKE2b (libsodium crypto_generichash) over what stands before it. Two
 * keys are accepted, the first one signs: rotation without a pause. At most 200 bytes.
 */
#ifndef ORCHESTRATOR_BUS_TOKEN_H
#define ORCHESTRATOR_BUS_TOKEN_H

#include "sagas/base/bytes.h"
#include "sagas/base/uuid.h"
#include "sagas/machine/saga.h"

enum { TOKEN_KEY_SIZE = 32, TOKEN_TEXT_MAX = 200 };

struct token_keys {
    uint8_t key[2][TOKEN_KEY_SIZE];
    size_t count; /* 1 or 2 */
};

struct token {
    struct uuid saga_id;
    enum op op;
    uint32_t attempt;
    int32_t index;
    char step_id[IDENT_SIZE_MAX + 1];
};

/* Returns the length written, without the NUL. */
size_t token_print(const struct token_keys *keys, const struct token *token,
                   char ret_text[TOKEN_TEXT_MAX + 1]);

enum token_result { TOKEN_VALID, TOKEN_FORGED };
enum token_result token_parse(const struct token_keys *keys, struct bytes text,
                              struct token *ret_token);

#endif
