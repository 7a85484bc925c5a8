/*
 * orchestrator/bus/trace.c
 *   See trace.h. Layout: 00-<trace id, 32>-<span id, 16>-<flags, 2>, lower-case hex.
 */
#include "orchestrator/bus/trace.h"

#include <sodium.h>
#include <string.h>

enum { AT_TRACE = 3, TRACE_SIZE = 32, AT_SPAN = 36, SPAN_SIZE = 16, AT_FLAGS = 53, FLAGS_SIZE = 2 };

static bool is_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

static bool is_zero(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '0') return false;
    }
    return true;
}

bool trace_parent_is_valid(struct bytes parent)
{
    if (parent.data == NULL || parent.size < TRACE_PARENT_SIZE - 1) return false;
    const char *text = parent.data;
    const bool dashes =
        text[AT_TRACE - 1] == '-' && text[AT_SPAN - 1] == '-' && text[AT_FLAGS - 1] == '-';
    if (!dashes || !is_hex(text, 2) || memcmp(text, "ff", 2) == 0) return false;
    /* Version 00 ends here; a later one may go on after a dash. */
    if (parent.size > TRACE_PARENT_SIZE - 1 &&
        (memcmp(text, "00", 2) == 0 || text[TRACE_PARENT_SIZE - 1] != '-')) {
        return false;
    }
    return is_hex(text + AT_TRACE, TRACE_SIZE) && !is_zero(text + AT_TRACE, TRACE_SIZE) &&
           is_hex(text + AT_SPAN, SPAN_SIZE) && !is_zero(text + AT_SPAN, SPAN_SIZE) &&
           is_hex(text + AT_FLAGS, FLAGS_SIZE);
}

static void print_span(const struct command *command, char ret_text[SPAN_SIZE + 1])
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    const uint32_t numbers[] = {(uint32_t)command->index, (uint32_t)command->op, command->attempt};
    crypto_generichash_update(&state, command->saga_id.byte, sizeof command->saga_id.byte);
    crypto_generichash_update(&state, (const uint8_t *)numbers, sizeof numbers);
    crypto_generichash_update(&state, (const uint8_t *)command->step->id.data,
                              command->step->id.size);
    crypto_generichash_final(&state, hash, sizeof hash);
    hash[0] |= 1; /* never all zero */
    sodium_bin2hex(ret_text, SPAN_SIZE + 1, hash, SPAN_SIZE / 2);
}

void trace_parent_print(const struct command *command, struct bytes caller,
                        char ret_text[TRACE_PARENT_SIZE])
{
    memcpy(ret_text, "00-................................-................-01", TRACE_PARENT_SIZE);
    char hex[TRACE_SIZE + 1];
    if (trace_parent_is_valid(caller)) {
        memcpy(ret_text + AT_TRACE, caller.data + AT_TRACE, TRACE_SIZE);
        memcpy(ret_text + AT_FLAGS, caller.data + AT_FLAGS, FLAGS_SIZE);
    } else {
        sodium_bin2hex(hex, sizeof hex, command->saga_id.byte, sizeof command->saga_id.byte);
        memcpy(ret_text + AT_TRACE, hex, TRACE_SIZE);
    }
    print_span(command, hex);
    memcpy(ret_text + AT_SPAN, hex, SPAN_SIZE);
}
