/*
 * api/keys.h
 *   API keys at rest and in requests.
 *
 * A key is `sagad_<id>_<secret>`: 12 random bytes to find it by, 32 random bytes to prove it, both
 * in base64url. The file has a line `name role id hash` for each; the hash is BLAKE2b of the secret
 * keyed with the id (the salt). A slow password hash would add nothing: the secret has 256 bits.
 * The file is read again when it changes; a file that cannot be read leaves the old keys.
 */
#ifndef API_KEYS_H
#define API_KEYS_H

#include "orchestrator/base/err.h"
#include "sagas/base/bytes.h"

enum role {
    ROLE_NOBODY, /* of routes: no key is needed */
    ROLE_READER,
    ROLE_SUBMITTER,
    ROLE_OPERATOR,
    ROLE_ADMIN,
    ROLE_COUNT,
};

enum { KEY_NAME_SIZE_MAX = 64, KEY_TEXT_SIZE = 80 };

struct principal {
    enum role role;
    char name[KEY_NAME_SIZE_MAX + 1];
};

struct keys;

/* ERR_INVALID: not readable, or a line is wrong (text names it). */
MUST_CHECK bool keys_open(const char *file, struct keys **ret_keys, struct err *err);
void keys_close(struct keys *keys);
/* The key's owner; false: no such key. Thread-safe, constant time in the secret. */
bool keys_find(struct keys *keys, struct bytes key, struct principal *ret_principal);
/* Read the file again when it has changed. One thread. */
void keys_refresh(struct keys *keys);

const char *role_name(enum role role);
bool role_parse(struct bytes name, enum role *ret_role);

#endif
