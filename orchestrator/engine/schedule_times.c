#include "orchestrator/engine/schedules.h"
#include "orchestrator/store/schedule_rows.h"

#include <sodium.h>
#include <string.h>

struct uuid schedule_saga_id(const struct uuid *uid, int64_t scheduled_at_ms)
{
    uint8_t text[sizeof uid->byte + 8];
    uint8_t hash[crypto_generichash_BYTES];
    memcpy(text, uid->byte, sizeof uid->byte);
    for (size_t i = 0; i < 8; i++) {
        text[sizeof uid->byte + i] = (uint8_t)((uint64_t)scheduled_at_ms >> (56 - 8 * i));
    }
    (void)crypto_generichash(hash, sizeof hash, text, sizeof text, NULL, 0);
    return uuid_v7(scheduled_at_ms, hash);
}

struct bytes schedule_pack_waiting(const struct schedule_state *state, struct arena *arena)
{
    char *const packed = arena_alloc(arena, state->waiting_count * 8 + 1);
    for (size_t i = 0; i < state->waiting_count * 8; i++) {
        packed[i] = (char)((uint64_t)state->waiting[i / 8] >> (56 - i % 8 * 8) & 0xff);
    }
    return (struct bytes){packed, state->waiting_count * 8};
}

void schedule_unpack(const struct schedule_row *row, struct schedule_state *ret_state)
{
    *ret_state = (struct schedule_state){.next_at_ms = row->next_at_ms};
    for (size_t i = 0; i + 8 <= row->waiting.size; i += 8) {
        if (ret_state->waiting_count == SCHEDULE_WAITING_MAX) return;
        uint64_t at_ms = 0;
        for (size_t k = 0; k < 8; k++) {
            at_ms = at_ms << 8 | (uint8_t)row->waiting.data[i + k];
        }
        ret_state->waiting[ret_state->waiting_count++] = (int64_t)at_ms;
    }
}
