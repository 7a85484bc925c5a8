/* Follow all ways through a pattern at once. */
#include "sagas/schema/pattern.h"
#include "sagas/schema/program.h"

enum { STEPS_PER_OPERATION = 16, NO_CHARACTER = 0xffffffff };

struct places {
    uint16_t *at;
    size_t count;
};

struct run {
    const struct pattern *pattern;
    struct places reached; /* by the last character, not looked into yet */
    struct places waiting; /* for the next character */
    uint16_t *stack;
    uint32_t *seen; /* round in which a place was reached last */
    uint32_t round;
    uint32_t before, next; /* characters; NO_CHARACTER at an end */
    size_t steps;
};

static bool is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool edge_holds(const struct run *run, enum opcode opcode)
{
    const bool word_edge = is_word(run->before) != is_word(run->next);
    if (opcode == AT_START) return run->before == NO_CHARACTER;
    if (opcode == AT_END) return run->next == NO_CHARACTER;
    return word_edge == (opcode == AT_WORD_EDGE);
}

static void push(struct run *run, size_t *depth, int place)
{
    if (run->seen[place] == run->round) return;
    run->seen[place] = run->round;
    run->stack[(*depth)++] = (uint16_t)place;
}

/* From `start` to everything that can be reached without a character; true: the end can. */
static bool follow(struct run *run, size_t start)
{
    size_t depth = 0;
    push(run, &depth, (int)start);
    while (depth > 0) {
        const int place = run->stack[--depth];
        const struct instruction *const code = &run->pattern->code[place];
        const enum opcode opcode = code->opcode;
        run->steps++;
        switch (opcode) {
        case TAKE_CHAR:
        case TAKE_CLASS: run->waiting.at[run->waiting.count++] = (uint16_t)place; break;
        case SPLIT:
            push(run, &depth, place + code->right);
            push(run, &depth, place + code->left);
            break;
        case JUMP: push(run, &depth, place + code->left); break;
        case AT_START:
        case AT_END:
        case AT_WORD_EDGE:
        case NOT_AT_WORD_EDGE:
            if (edge_holds(run, opcode)) push(run, &depth, place + 1);
            break;
        case FOUND: return true;
        }
    }
    return false;
}

static bool in_class(struct run *run, const struct class *class)
{
    bool found = false;
    const struct range *const range = &run->pattern->ranges[class->first];
    for (uint32_t i = 0; i < class->count && !found; i++) {
        found = run->next >= range[i].low && run->next <= range[i].high;
    }
    run->steps += class->count / 4;
    return found != class->negated;
}

static bool takes_next(struct run *run, const struct instruction *code)
{
    if (code->opcode == TAKE_CHAR) return code->value == run->next;
    return in_class(run, &run->pattern->classes[code->value]);
}

static void take_next(struct run *run)
{
    run->reached.count = 0;
    for (size_t i = 0; i < run->waiting.count; i++) {
        const uint16_t place = run->waiting.at[i];
        if (takes_next(run, &run->pattern->code[place])) {
            run->reached.at[run->reached.count++] = (uint16_t)(place + 1);
        }
    }
    run->steps += run->waiting.count;
    run->waiting.count = 0;
}

/* Where the text stands; the beginning of the pattern may be here as well. */
static bool is_found(struct run *run)
{
    run->round++;
    for (size_t i = 0; i < run->reached.count; i++) {
        if (follow(run, run->reached.at[i])) return true;
    }
    return follow(run, 0);
}

/* Valid UTF-8. */
static uint32_t decode(const char **at, const char *end)
{
    static const unsigned char FIRST_BITS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    if (*at == end) return NO_CHARACTER;
    const size_t size = utf8_size(*at, end);
    uint32_t c = (unsigned char)**at & FIRST_BITS[size];
    for (size_t i = 1; i < size; i++) {
        c = c << 6 | ((unsigned char)(*at)[i] & 0x3f);
    }
    *at += size;
    return c;
}

bool pattern_matches(const struct pattern *pattern, struct bytes text, struct arena *arena,
                     struct budget *budget)
{
    const size_t size = pattern->size;
    uint16_t *const places = arena_array(arena, 3 * size, sizeof(*places));
    struct run run = {
        .pattern = pattern,
        .reached.at = places,
        .waiting.at = places + size,
        .stack = places + 2 * size,
        .seen = arena_array(arena, size, sizeof(*run.seen)),
        .before = NO_CHARACTER,
    };
    const char *at = text.data;
    const char *const end = text.data + text.size;
    if (!budget_take(budget, 1 + size / STEPS_PER_OPERATION)) return false;
    for (;;) {
        run.next = decode(&at, end);
        if (is_found(&run)) return true;
        if (run.next == NO_CHARACTER) return false;
        take_next(&run);
        run.before = run.next;
        if (!budget_take(budget, run.steps / STEPS_PER_OPERATION)) return false;
        run.steps %= STEPS_PER_OPERATION;
    }
}
