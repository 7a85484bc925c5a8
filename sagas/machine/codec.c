#include "sagas/machine/codec.h"

#include "sagas/base/decimal.h"
#include "sagas/machine/pack.h"
#include "sagas/machine/turn.h"

#include <assert.h>
#include <string.h>

/*
 * format, body, checksum (4 bytes, FNV-1a of all before it). An instant is a distance from
 * updated_at, 0 for none. Steps and runs that nothing has touched cost a byte or none.
 */

enum { CHECKSUM_SIZE = 4, RUN_STATE_BITS = 4 };

/* Sign, point, and the digits on both sides. */
enum { AMOUNT_SIZE_MAX = 2 * DECIMAL_DIGITS_MAX + 2 };

enum saga_flag {
    SAGA_FLAG_PAUSED = 1 << 0,
    SAGA_FLAG_PAUSED_BY_TIMEOUT = 1 << 1,
    SAGA_FLAG_CANCEL_REQUESTED = 1 << 2,
    SAGA_FLAG_ERROR = 1 << 3,
    SAGA_FLAG_CAUSE = 1 << 4,
    SAGA_FLAG_PAUSED_BY = 1 << 5,
    SAGA_FLAG_OUTPUT = 1 << 6,
    SAGA_FLAG_SIGNALS = 1 << 7,
    SAGA_FLAG_FORKED = 1 << 8,
    SAGA_FLAG_LOCK = 1 << 10,
};

enum signal_flag {
    SIGNAL_FLAG_KEY = 1 << 0,
    SIGNAL_FLAG_KEPT = 1 << 1,
    SIGNAL_FLAG_PAYLOAD = 1 << 2,
    SIGNAL_FLAGS_END = 1 << 3,
};

/* What follows a run's first byte; a run that was never sent and has no flag is that byte alone. */
enum run_flag {
    RUN_FLAG_UNANSWERED = 1 << 0,
    RUN_FLAG_PROMISED = 1 << 1,
    RUN_FLAG_BAD_REPLY = 1 << 2,
    RUN_FLAG_ERROR = 1 << 3,
    RUN_FLAG_OUTPUT = 1 << 4,
    RUN_FLAG_UNCOUNTED = 1 << 5,
    RUN_FLAG_TIMES = 1 << 6, /* the first of RUN_TIME_COUNT bits, one for each instant */
};

enum {
    RUN_TIME_COUNT = 6,
    RUN_FLAG_INPUT = RUN_FLAG_TIMES << RUN_TIME_COUNT,
    RUN_FLAG_ASIDE = RUN_FLAG_INPUT << 1,
    RUN_FLAG_EFFECT = RUN_FLAG_ASIDE << 1,
    RUN_FLAGS_END = RUN_FLAG_EFFECT << 1,
};

/* First byte of a run: state, op, and whether more follows. */
enum { RUN_BYTE_MORE = 0x80, RUN_BYTE_OP_SHIFT = RUN_STATE_BITS, RUN_BYTE_STATE_MASK = 0x0f };

static_assert(STEP_STATE_COUNT <= 1 << RUN_STATE_BITS, "a state fits the first byte of a run");

static void list_times(struct step_run *run, int64_t *ret_times[RUN_TIME_COUNT])
{
    ret_times[0] = &run->first_sent_at_ms;
    ret_times[1] = &run->sent_at_ms;
    ret_times[2] = &run->deadline_at_ms;
    ret_times[3] = &run->next_attempt_at_ms;
    ret_times[4] = &run->started_at_ms;
    ret_times[5] = &run->finished_at_ms;
}

static uint32_t checksum(const char *data, size_t size)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)data[i]) * 16777619U;
    }
    return hash;
}

/* ---- writing ---- */

static void put_time(struct buffer *buffer, int64_t at_ms, int64_t base_ms)
{
    if (at_ms == 0) {
        pack_number(buffer, 0);
        return;
    }
    const int64_t distance = at_ms - base_ms;
    const uint64_t zigzag =
        distance < 0 ? ((uint64_t)(-(distance + 1)) << 1) | 1 : (uint64_t)distance << 1;
    pack_number(buffer, zigzag + 1);
}

static void put_error(struct buffer *buffer, const struct saga_error *error)
{
    pack_bytes(buffer, bytes_of(error->code));
    pack_bytes(buffer, error->detail);
}

/* Absent is empty: neither is ever empty when it is there. */
static void put_effect(struct buffer *buffer, const struct run_effect *effect)
{
    pack_bytes(buffer, effect->amount);
    pack_bytes(buffer, effect->currency);
}

static void put_error_of(struct buffer *buffer, const struct saga_error *error, struct bytes step,
                         enum op op)
{
    put_error(buffer, error);
    pack_bytes(buffer, step);
    pack_number(buffer, op);
}

static unsigned run_flags(const struct step_run *run, int64_t *const times[RUN_TIME_COUNT])
{
    unsigned flags = 0;
    if (run->unanswered) flags |= RUN_FLAG_UNANSWERED;
    if (run->promised) flags |= RUN_FLAG_PROMISED;
    if (run->bad_reply) flags |= RUN_FLAG_BAD_REPLY;
    if (run->error.code[0] != '\0') flags |= RUN_FLAG_ERROR;
    if (run->output_seq != 0) flags |= RUN_FLAG_OUTPUT;
    if (run->uncounted != 0) flags |= RUN_FLAG_UNCOUNTED;
    if (run->input_seq != 0) flags |= RUN_FLAG_INPUT;
    if (run->attempts_aside != 0) flags |= RUN_FLAG_ASIDE;
    if (run->effect != NULL) flags |= RUN_FLAG_EFFECT;
    for (unsigned i = 0; i < RUN_TIME_COUNT; i++) {
        if (*times[i] != 0) flags |= (unsigned)RUN_FLAG_TIMES << i;
    }
    return flags;
}

static void put_run(struct buffer *buffer, struct step_run *run, int64_t base_ms)
{
    int64_t *times[RUN_TIME_COUNT];
    list_times(run, times);
    const unsigned flags = run_flags(run, times);
    const bool more = flags != 0 || run->attempt != 0;
    const unsigned first = (unsigned)run->state | (unsigned)run->op << RUN_BYTE_OP_SHIFT;
    buffer_add_char(buffer, (char)(unsigned char)(first | (more ? RUN_BYTE_MORE : 0U)));
    if (!more) return;
    pack_number(buffer, flags);
    pack_number(buffer, run->attempt);
    if (flags & RUN_FLAG_UNCOUNTED) pack_number(buffer, run->uncounted);
    if (flags & RUN_FLAG_OUTPUT) pack_number(buffer, run->output_seq);
    if (flags & RUN_FLAG_INPUT) pack_number(buffer, run->input_seq);
    if (flags & RUN_FLAG_ASIDE) pack_number(buffer, run->attempts_aside);
    if (flags & RUN_FLAG_EFFECT) put_effect(buffer, run->effect);
    if (flags & RUN_FLAG_ERROR) put_error(buffer, &run->error);
    for (unsigned i = 0; i < RUN_TIME_COUNT; i++) {
        if (*times[i] != 0) put_time(buffer, *times[i], base_ms);
    }
}

static bool is_untouched(const struct step_runs *runs)
{
    const struct step_run *const run = &runs->run[0];
    return !runs->expanded && run->state == STEP_WAITING && run->attempt == 0 && !run->bad_reply &&
           run->error.code[0] == '\0' && run->finished_at_ms == 0;
}

static void put_steps(struct buffer *buffer, const struct saga *saga)
{
    const struct definition *const definition = saga->definition;
    uint32_t touched = 0;
    for (size_t i = 0; i < definition->step_count; i++) {
        if (!is_untouched(&saga->steps[i])) touched++;
    }
    pack_number(buffer, touched);
    for (size_t i = 0; i < definition->step_count; i++) {
        const struct step_runs *const runs = &saga->steps[i];
        if (is_untouched(runs)) continue;
        pack_bytes(buffer, definition->steps[i].id);
        pack_number(buffer, (uint64_t)runs->count << 1 | (runs->expanded ? 1 : 0));
        for (uint32_t k = 0; k < runs_shown(runs); k++) {
            put_run(buffer, &runs->run[k], saga->updated_at_ms);
        }
    }
}

static void put_signals(struct buffer *buffer, const struct saga *saga)
{
    pack_number(buffer, saga->signal_count);
    for (uint32_t i = 0; i < saga->signal_count; i++) {
        const struct signal *const signal = &saga->signals[i];
        unsigned flags = 0;
        if (signal->has_key) flags |= SIGNAL_FLAG_KEY;
        if (signal->name.data != NULL) flags |= SIGNAL_FLAG_KEPT;
        if (signal->seq != 0) flags |= SIGNAL_FLAG_PAYLOAD;
        pack_number(buffer, flags);
        if (flags & SIGNAL_FLAG_KEY) buffer_add(buffer, signal->key, SIGNAL_KEY_SIZE);
        if (flags & SIGNAL_FLAG_KEPT) pack_bytes(buffer, signal->name);
        if (flags & SIGNAL_FLAG_PAYLOAD) pack_number(buffer, signal->seq);
    }
}

static unsigned saga_flags(const struct saga *saga)
{
    unsigned flags = 0;
    if (saga->paused) flags |= SAGA_FLAG_PAUSED;
    if (saga->paused_by_timeout) flags |= SAGA_FLAG_PAUSED_BY_TIMEOUT;
    if (saga->cancel_requested) flags |= SAGA_FLAG_CANCEL_REQUESTED;
    if (saga->error.code[0] != '\0') flags |= SAGA_FLAG_ERROR;
    if (saga->cause.code[0] != '\0') flags |= SAGA_FLAG_CAUSE;
    if (saga->paused_by.data != NULL) flags |= SAGA_FLAG_PAUSED_BY;
    if (saga->output_seq != 0) flags |= SAGA_FLAG_OUTPUT;
    if (saga->signal_count != 0) flags |= SAGA_FLAG_SIGNALS;
    if (saga->forked) flags |= SAGA_FLAG_FORKED;
    if (saga->lock != LOCK_NONE) flags |= SAGA_FLAG_LOCK;
    return flags;
}

void saga_pack(const struct saga *saga, struct buffer *buffer)
{
    const size_t start = buffer->size;
    const unsigned flags = saga_flags(saga);
    pack_number(buffer, SAGA_PACK_FORMAT);
    pack_number(buffer, flags);
    pack_number(buffer, saga->state);
    pack_number(buffer, saga->stuck_in);
    pack_number(buffer, saga->attention);
    pack_number(buffer, saga->revision);
    pack_number(buffer, saga->history_seq);
    put_time(buffer, saga->updated_at_ms, 0);
    put_time(buffer, saga->started_at_ms, saga->updated_at_ms);
    put_time(buffer, saga->finished_at_ms, saga->updated_at_ms);
    put_time(buffer, saga->deadline_at_ms, saga->updated_at_ms);
    if (flags & SAGA_FLAG_ERROR) {
        put_error_of(buffer, &saga->error, saga->error_step, saga->error_op);
    }
    if (flags & SAGA_FLAG_CAUSE) {
        put_error_of(buffer, &saga->cause, saga->cause_step, saga->cause_op);
    }
    if (flags & SAGA_FLAG_PAUSED_BY) pack_bytes(buffer, saga->paused_by);
    if (flags & SAGA_FLAG_OUTPUT) pack_number(buffer, saga->output_seq);
    if (flags & SAGA_FLAG_SIGNALS) put_signals(buffer, saga);
    if (flags & SAGA_FLAG_FORKED) {
        buffer_add(buffer, saga->forked_from.byte, sizeof(saga->forked_from.byte));
        pack_bytes(buffer, saga->fork_step);
    }
    if (flags & SAGA_FLAG_LOCK) {
        pack_number(buffer, saga->lock);
        pack_bytes(buffer, saga->lock_key);
    }
    put_steps(buffer, saga);

    const uint32_t sum = checksum(buffer->data + start, buffer->size - start);
    for (unsigned i = 0; i < CHECKSUM_SIZE; i++) {
        buffer_add_char(buffer, (char)(unsigned char)(sum >> (8 * i)));
    }
}

/* ---- reading ---- */

struct reader {
    struct unpacker in;
    struct saga *saga;
};

static int64_t take_time(struct reader *reader, int64_t base_ms)
{
    const uint64_t packed = unpack_number(&reader->in);
    if (packed == 0) return 0;
    const uint64_t zigzag = packed - 1;
    const int64_t half = (int64_t)(zigzag >> 1);
    int64_t at_ms = 0;
    if (__builtin_add_overflow(base_ms, zigzag & 1 ? -half - 1 : half, &at_ms)) {
        (void)unpack_damaged(&reader->in, "an instant is out of range");
    }
    return at_ms;
}

static void take_error(struct reader *reader, struct saga_error *error)
{
    const struct bytes code = unpack_bytes(&reader->in, ERROR_CODE_SIZE - 1);
    const struct bytes detail = unpack_bytes(&reader->in, ERROR_DETAIL_SIZE_MAX);
    if (code.size > 0) memcpy(error->code, code.data, code.size);
    error->code[code.size] = '\0';
    if (detail.size > 0) error->detail = bytes_copy(reader->saga->arena, detail);
}

static struct bytes take_text(struct reader *reader, size_t max)
{
    const struct bytes text = unpack_bytes(&reader->in, max);
    return text.size == 0 ? (struct bytes){0} : bytes_copy(reader->saga->arena, text);
}

static const struct run_effect *take_effect(struct reader *reader)
{
    struct run_effect *const effect = arena_alloc(reader->saga->arena, sizeof(*effect));
    effect->amount = take_text(reader, AMOUNT_SIZE_MAX);
    effect->currency = take_text(reader, CURRENCY_SIZE_MAX);
    return effect;
}

static void take_error_of(struct reader *reader, struct saga_error *error, struct bytes *step,
                          enum op *op)
{
    take_error(reader, error);
    const struct bytes id = unpack_bytes(&reader->in, IDENT_SIZE_MAX);
    if (id.size > 0) *step = bytes_copy(reader->saga->arena, id);
    *op = (enum op)unpack_limited(&reader->in, OP_PROBE, "no such direction");
}

static void take_run(struct reader *reader, struct step_run *run)
{
    if (reader->in.at == reader->in.end) {
        (void)unpack_damaged(&reader->in, "a run is cut off");
        return;
    }
    const unsigned first = *reader->in.at++;
    const unsigned state = first & RUN_BYTE_STATE_MASK;
    const unsigned op = (first & ~(unsigned)RUN_BYTE_MORE) >> RUN_BYTE_OP_SHIFT;
    if (state >= STEP_STATE_COUNT || op > OP_PROBE) {
        (void)unpack_damaged(&reader->in, "no such state of a step");
        return;
    }
    *run = (struct step_run){.state = (enum step_state)state, .op = (enum op)op};
    if ((first & RUN_BYTE_MORE) == 0) return;

    const uint32_t flags =
        unpack_limited(&reader->in, RUN_FLAGS_END - 1, "an unknown flag of a run");
    run->unanswered = flags & RUN_FLAG_UNANSWERED;
    run->promised = flags & RUN_FLAG_PROMISED;
    run->bad_reply = flags & RUN_FLAG_BAD_REPLY;
    run->attempt = unpack_limited(&reader->in, UINT32_MAX, "too many attempts");
    if (flags & RUN_FLAG_UNCOUNTED) {
        run->uncounted = unpack_limited(&reader->in, UINT32_MAX, "too many attempts");
    }
    if (flags & RUN_FLAG_OUTPUT) {
        run->output_seq = unpack_limited(&reader->in, UINT32_MAX, "no such history row");
    }
    if (flags & RUN_FLAG_INPUT) {
        run->input_seq = unpack_limited(&reader->in, UINT32_MAX, "no such history row");
    }
    if (flags & RUN_FLAG_ASIDE) {
        run->attempts_aside = unpack_limited(&reader->in, UINT32_MAX, "too many attempts");
    }
    if (flags & RUN_FLAG_EFFECT) run->effect = take_effect(reader);
    if (flags & RUN_FLAG_ERROR) take_error(reader, &run->error);
    int64_t *times[RUN_TIME_COUNT];
    list_times(run, times);
    for (unsigned i = 0; i < RUN_TIME_COUNT; i++) {
        if (flags & (uint32_t)RUN_FLAG_TIMES << i) {
            *times[i] = take_time(reader, reader->saga->updated_at_ms);
        }
    }
}

/* Steps come in the order of the definition: the next one is nearly always the right one. */
static int find_step(const struct definition *definition, struct bytes id, int expected)
{
    for (int i = expected; i < definition->step_count; i++) {
        if (bytes_equal(definition->steps[i].id, id)) return i;
    }
    for (int i = 0; i < expected; i++) {
        if (bytes_equal(definition->steps[i].id, id)) return i;
    }
    return -1;
}

static void take_step(struct reader *reader, int *position)
{
    struct saga *const saga = reader->saga;
    const struct bytes id = unpack_bytes(&reader->in, IDENT_SIZE_MAX);
    const int found = find_step(saga->definition, id, *position);
    if (found < 0) {
        (void)unpack_damaged(&reader->in, "it names a step that its definition does not have");
        return;
    }
    *position = found + 1;
    const uint32_t width =
        unpack_limited(&reader->in, FOREACH_ITEMS_MAX << 1 | 1, "too many items");
    struct step_runs *const runs = &saga->steps[found];
    runs->expanded = width & 1;
    runs->count = width >> 1;
    const bool is_foreach = saga->definition->steps[found].foreach != NULL;
    if (runs->expanded ? !is_foreach : runs->count != 1) {
        *runs = (struct step_runs){.run = runs->run, .count = 1};
        (void)unpack_damaged(&reader->in, "a step has a width that it cannot have");
        return;
    }
    if (runs->count > 1) runs->run = arena_array(saga->arena, runs->count, sizeof(*runs->run));
    for (uint32_t k = 0; k < runs_shown(runs); k++) {
        take_run(reader, &runs->run[k]);
    }
}

static void take_digest(struct reader *reader, uint8_t *ret_digest)
{
    if (reader->in.end - reader->in.at < SIGNAL_KEY_SIZE) {
        (void)unpack_damaged(&reader->in, "a signal is cut off");
        return;
    }
    memcpy(ret_digest, reader->in.at, SIGNAL_KEY_SIZE);
    reader->in.at += SIGNAL_KEY_SIZE;
}

static void take_signals(struct reader *reader)
{
    struct saga *const saga = reader->saga;
    const uint32_t count = unpack_limited(&reader->in, SIGNALS_MAX, "too many signals");
    make_room_for_signals(saga, count);
    for (uint32_t i = 0; i < count && reader->in.what == NULL; i++) {
        struct signal *const signal = &saga->signals[saga->signal_count++];
        const uint32_t flags =
            unpack_limited(&reader->in, SIGNAL_FLAGS_END - 1, "an unknown flag of a signal");
        signal->has_key = flags & SIGNAL_FLAG_KEY;
        if (signal->has_key) take_digest(reader, signal->key);
        if (flags & SIGNAL_FLAG_KEPT) {
            signal->name = bytes_copy(saga->arena, unpack_bytes(&reader->in, IDENT_SIZE_MAX));
        }
        if (flags & SIGNAL_FLAG_PAYLOAD) {
            signal->seq = unpack_limited(&reader->in, UINT32_MAX, "no such history row");
        }
    }
}

static void take_fork(struct reader *reader)
{
    struct saga *const saga = reader->saga;
    const size_t size = sizeof(saga->forked_from.byte);
    if ((size_t)(reader->in.end - reader->in.at) < size) {
        (void)unpack_damaged(&reader->in, "where it was forked from is cut off");
        return;
    }
    memcpy(saga->forked_from.byte, reader->in.at, size);
    reader->in.at += size;
    saga->forked = true;
    const struct bytes step = unpack_bytes(&reader->in, IDENT_SIZE_MAX);
    if (step.size > 0) saga->fork_step = bytes_copy(saga->arena, step);
}

static void take_lock(struct reader *reader)
{
    struct saga *const saga = reader->saga;
    saga->lock =
        (enum lock_state)unpack_limited(&reader->in, LOCK_STATE_COUNT - 1, "no such lock state");
    saga->lock_key = bytes_copy(saga->arena, unpack_bytes(&reader->in, LOCK_KEY_SIZE_MAX));
}

static void take_saga(struct reader *reader)
{
    struct saga *const saga = reader->saga;
    const uint64_t flags = unpack_number(&reader->in);
    saga->paused = flags & SAGA_FLAG_PAUSED;
    saga->paused_by_timeout = flags & SAGA_FLAG_PAUSED_BY_TIMEOUT;
    saga->cancel_requested = flags & SAGA_FLAG_CANCEL_REQUESTED;
    saga->state =
        (enum saga_state)unpack_limited(&reader->in, SAGA_STATE_COUNT - 1, "no such state");
    saga->stuck_in =
        (enum saga_state)unpack_limited(&reader->in, SAGA_STATE_COUNT - 1, "no such state");
    saga->attention = unpack_limited(&reader->in, UINT32_MAX, "no such attention");
    saga->revision = unpack_limited(&reader->in, UINT32_MAX, "no such revision");
    saga->history_seq = unpack_limited(&reader->in, UINT32_MAX, "no such history row");
    saga->updated_at_ms = take_time(reader, 0);
    saga->started_at_ms = take_time(reader, saga->updated_at_ms);
    saga->finished_at_ms = take_time(reader, saga->updated_at_ms);
    saga->deadline_at_ms = take_time(reader, saga->updated_at_ms);
    if (flags & SAGA_FLAG_ERROR) {
        take_error_of(reader, &saga->error, &saga->error_step, &saga->error_op);
    }
    if (flags & SAGA_FLAG_CAUSE) {
        take_error_of(reader, &saga->cause, &saga->cause_step, &saga->cause_op);
    }
    if (flags & SAGA_FLAG_PAUSED_BY) {
        saga->paused_by = bytes_copy(saga->arena, unpack_bytes(&reader->in, SIZE_MAX));
    }
    if (flags & SAGA_FLAG_OUTPUT) {
        saga->output_seq = unpack_limited(&reader->in, UINT32_MAX, "no such history row");
    }
    if (flags & SAGA_FLAG_SIGNALS) take_signals(reader);
    if (flags & SAGA_FLAG_FORKED) take_fork(reader);
    if (flags & SAGA_FLAG_LOCK) take_lock(reader);
    const uint32_t touched = unpack_limited(&reader->in, saga->definition->step_count,
                                            "it has more steps than its definition");
    int position = 0;
    for (uint32_t i = 0; i < touched && reader->in.what == NULL; i++) {
        take_step(reader, &position);
    }
}

static bool is_whole(struct bytes packed)
{
    if (packed.data == NULL || packed.size <= CHECKSUM_SIZE) return false;
    const size_t size = packed.size - CHECKSUM_SIZE;
    uint32_t stored = 0;
    for (unsigned i = 0; i < CHECKSUM_SIZE; i++) {
        stored |= (uint32_t)(unsigned char)packed.data[size + i] << (8 * i);
    }
    return stored == checksum(packed.data, size);
}

bool saga_unpack(struct saga *saga, struct bytes packed, const char **ret_what)
{
    if (!is_whole(packed)) {
        *ret_what = "the checksum does not fit";
        return false;
    }
    struct reader reader = {
        .in = unpacker_of((struct bytes){packed.data, packed.size - CHECKSUM_SIZE}), .saga = saga};
    const uint64_t format = unpack_number(&reader.in);
    if (format != SAGA_PACK_FORMAT) {
        *ret_what = "the format is newer than this program";
        return false;
    }
    take_saga(&reader);
    if (reader.in.what == NULL && reader.in.at != reader.in.end) {
        (void)unpack_damaged(&reader.in, "something follows its end");
    }
    if (reader.in.what != NULL) *ret_what = reader.in.what;
    return reader.in.what == NULL;
}

void saga_attach(struct saga *saga, uint32_t seq, struct bytes payload, struct bytes output)
{
    if (saga->output_seq == seq && output.data != NULL) {
        saga->output = bytes_copy(saga->arena, output);
    }
    if (payload.data == NULL) return;
    for (uint32_t i = 0; i < saga->signal_count; i++) {
        struct signal *const signal = &saga->signals[i];
        if (signal->seq == seq) signal->payload = bytes_copy(saga->arena, payload);
    }
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        struct step_run *const run = walk.ref.run;
        if (run->input_seq == seq) run->input = bytes_copy(saga->arena, payload);
        if (run->output_seq != seq) continue;
        run->output = bytes_copy(saga->arena, payload);
        walk.ref.runs->collected = (struct bytes){0};
    }
}
