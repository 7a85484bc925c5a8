/* The only place where a saga or a run changes its state: by the tables, with its history. */
#include "sagas/machine/turn.h"

#include <assert.h>
#include <string.h>

void move_saga(struct turn *turn, enum saga_event event, const struct detail *detail)
{
    struct saga *const saga = turn->saga;
    const struct saga_transition transition = saga_transition(saga->state, event);
    assert(transition.entry != NULL);
    saga->state = transition.after;
    if (transition.entry[0] != '\0') record(turn, transition.entry, NULL, detail);
    turn->changed = turn->moved = true;
}

void move_run(struct turn *turn, const struct run_ref *ref, enum run_event event,
              const struct detail *detail)
{
    const struct run_transition transition = run_transition(ref->run->state, event);
    assert(transition.entry != NULL);
    ref->run->state = transition.after;
    if (transition.entry[0] != '\0') record(turn, transition.entry, ref, detail);
    turn->changed = turn->moved = true;
    turn->values_fresh = false;
}

struct bytes cut_text(struct bytes text, size_t max)
{
    if (text.size <= max) return text;
    size_t size = max;
    while (size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80) {
        size--;
    }
    return (struct bytes){text.data, size};
}

void set_error(struct turn *turn, struct saga_error *error, struct bytes code, struct bytes text)
{
    const size_t code_size = cut_text(code, ERROR_CODE_SIZE - 1).size;
    if (code_size > 0) memmove(error->code, code.data, code_size);
    error->code[code_size] = '\0';
    if (text.data == NULL) {
        error->detail = (struct bytes){0};
        return;
    }
    const struct bytes kept = cut_text(text, ERROR_DETAIL_SIZE_MAX);
    /* A retry that goes on for hours says the same thing each time: keep one copy. */
    if (!bytes_equal(error->detail, kept)) error->detail = bytes_copy(turn->saga->arena, kept);
}
