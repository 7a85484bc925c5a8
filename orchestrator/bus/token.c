/*
 * orchestrator/bus/token.c
 *   See token.h. Whoever holds no key can neither make a token nor change one: every bit is
 *   under the tag, and base64url has one spelling only.
 */
#include "orchestrator/bus/token.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum {
    FORMAT = 1,
    TAG_SIZE = 16,
    AT_ID = 1,
    AT_OP = 17,
    AT_ATTEMPT = 18,
    AT_INDEX = 22,
    AT_STEP = 26,
    BODY_MAX = AT_STEP + IDENT_SIZE_MAX,
    RAW_MAX = BODY_MAX + TAG_SIZE,
};

static_assert(sodium_base64_ENCODED_LEN(RAW_MAX, sodium_base64_VARIANT_URLSAFE_NO_PADDING) <=
                  TOKEN_TEXT_MAX + 1,
              "a token fits its limit");

static void put_u32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

static uint32_t get_u32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static void make_tag(const uint8_t key[TOKEN_KEY_SIZE], const uint8_t *body, size_t size,
                     uint8_t ret_tag[TAG_SIZE])
{
    const int status = crypto_generichash(ret_tag, TAG_SIZE, body, size, key, TOKEN_KEY_SIZE);
    assert(status == 0);
    (void)status;
}

size_t token_print(const struct token_keys *keys, const struct token *token,
                   char ret_text[TOKEN_TEXT_MAX + 1])
{
    const size_t step_size = strlen(token->step_id);
    assert(keys->count >= 1 && keys->count <= 2);
    assert(step_size >= 1 && step_size <= IDENT_SIZE_MAX);

    uint8_t raw[RAW_MAX];
    raw[0] = FORMAT;
    memcpy(raw + AT_ID, token->saga_id.byte, sizeof token->saga_id.byte);
    raw[AT_OP] = (uint8_t)token->op;
    put_u32(raw + AT_ATTEMPT, token->attempt);
    put_u32(raw + AT_INDEX, (uint32_t)token->index);
    memcpy(raw + AT_STEP, token->step_id, step_size);
    const size_t body_size = AT_STEP + step_size;
    make_tag(keys->key[0], raw, body_size, raw + body_size);

    sodium_bin2base64(ret_text, TOKEN_TEXT_MAX + 1, raw, body_size + TAG_SIZE,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return strlen(ret_text);
}

static bool is_signed(const struct token_keys *keys, const uint8_t *raw, size_t body_size)
{
    int different = 1;
    for (size_t i = 0; i < keys->count; i++) {
        uint8_t tag[TAG_SIZE];
        make_tag(keys->key[i], raw, body_size, tag);
        different &= sodium_memcmp(tag, raw + body_size, TAG_SIZE) != 0;
    }
    return different == 0;
}

enum token_result token_parse(const struct token_keys *keys, struct bytes text,
                              struct token *ret_token)
{
    if (text.data == NULL || text.size > TOKEN_TEXT_MAX) return TOKEN_FORGED;
    uint8_t raw[RAW_MAX];
    size_t size = 0;
    if (sodium_base642bin(raw, sizeof raw, text.data, text.size, NULL, &size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0) {
        return TOKEN_FORGED;
    }
    if (size <= AT_STEP + TAG_SIZE || raw[0] != FORMAT) return TOKEN_FORGED;
    const size_t body_size = size - TAG_SIZE;
    if (!is_signed(keys, raw, body_size)) return TOKEN_FORGED;

    struct token token = {.op = (enum op)raw[AT_OP],
                          .attempt = get_u32(raw + AT_ATTEMPT),
                          .index = (int32_t)get_u32(raw + AT_INDEX)};
    memcpy(token.saga_id.byte, raw + AT_ID, sizeof token.saga_id.byte);
    memcpy(token.step_id, raw + AT_STEP, body_size - AT_STEP);
    *ret_token = token;
    return TOKEN_VALID;
}
