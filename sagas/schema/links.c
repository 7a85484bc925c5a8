/*
 * sagas/schema/links.c
 *   Where $ref leads.
 *
 * A schema may refer to itself, as long as each round goes deeper into the value; one that comes
 * back to the same value would never end.
 */
#include "sagas/schema/compile.h"

#include <stdlib.h>

enum { SHOWN_SIZE_MAX = 60 };

/* ---- to a place in the text ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* %XX of a URI; what is no such escape stays. */
static struct bytes decode_uri(struct bytes token, struct arena *arena)
{
    struct buffer plain = buffer_in(arena);
    buffer_add_text(&plain, "");
    for (size_t i = 0; i < token.size; i++) {
        const bool escaped = token.data[i] == '%' && token.size - i > 2 &&
                             hex_digit(token.data[i + 1]) >= 0 && hex_digit(token.data[i + 2]) >= 0;
        if (!escaped) {
            buffer_add_char(&plain, token.data[i]);
            continue;
        }
        buffer_add_char(&plain,
                        (char)(hex_digit(token.data[i + 1]) * 16 + hex_digit(token.data[i + 2])));
        i += 2;
    }
    return (struct bytes){plain.data, plain.size};
}

/* ~0 and ~1 of a JSON Pointer. */
static struct bytes decode_token(struct bytes token, struct arena *arena)
{
    struct buffer plain = buffer_in(arena);
    buffer_add_text(&plain, "");
    for (size_t i = 0; i < token.size; i++) {
        const bool escaped = token.data[i] == '~' && i + 1 < token.size &&
                             (token.data[i + 1] == '0' || token.data[i + 1] == '1');
        if (escaped) {
            buffer_add_char(&plain, "~/"[token.data[++i] - '0']);
        } else {
            buffer_add_char(&plain, token.data[i]);
        }
    }
    return (struct bytes){plain.data, plain.size};
}

static const struct json_view *step_into(const struct json_view *view, struct bytes token)
{
    size_t index = 0;
    if (view->type == VIEW_OBJECT) return json_view_member_bytes(view, token);
    if (view->type != VIEW_ARRAY || token.size == 0 || token.size > 6) return NULL;
    if (token.data[0] == '0' && token.size > 1) return NULL;
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] < '0' || token.data[i] > '9') return NULL;
        index = index * 10 + (size_t)(token.data[i] - '0');
    }
    return json_view_item(view, index);
}

/* `pointer` is behind the `#`. */
static const struct json_view *walk_to(const struct json_view *root, struct bytes pointer,
                                       struct arena *arena)
{
    const struct json_view *view = root;
    const char *at = pointer.data;
    const char *const end = pointer.data + pointer.size;
    while (at < end && view != NULL) {
        if (*at != '/') return NULL;
        const char *const start = ++at;
        while (at < end && *at != '/') {
            at++;
        }
        const struct bytes token = {start, (size_t)(at - start)};
        view = step_into(view, decode_token(decode_uri(token, arena), arena));
    }
    return view;
}

/* ---- to its node ---- */

static int by_view(const void *left, const void *right)
{
    const struct origin *const a = left;
    const struct origin *const b = right;
    if (a->view == b->view) return 0;
    return a->view->text.data < b->view->text.data ? -1 : 1;
}

static const struct node *find_node(const struct compilation *compilation,
                                    const struct json_view *view)
{
    const struct origin wanted = {.view = view};
    const struct origin *const found =
        bsearch(&wanted, compilation->origins, compilation->origin_count, sizeof(wanted), by_view);
    return found == NULL ? NULL : found->node;
}

static void resolve(struct compilation *compilation, const struct link *link)
{
    const struct bytes text = link->view->string;
    const int shown = (int)(text.size < SHOWN_SIZE_MAX ? text.size : SHOWN_SIZE_MAX);
    if (text.size == 0 || text.data[0] != '#') {
        (void)schema_error(compilation, link->view,
                           "refers to another document; put the schema under `$defs` and refer to "
                           "it as \"#/$defs/NAME\"");
        return;
    }
    const struct bytes pointer = {text.data + 1, text.size - 1};
    if (pointer.size > 0 && pointer.data[0] != '/') {
        (void)schema_error(compilation, link->view,
                           "anchors are not understood here; refer as \"#/$defs/NAME\"");
        return;
    }
    const struct json_view *const view =
        walk_to(compilation->root, pointer, compilation->given->scratch);
    const struct node *const node = view == NULL ? NULL : find_node(compilation, view);
    if (node == NULL) {
        (void)schema_error(compilation, link->view,
                           "there is no schema at `%.*s`; pointers begin at the outermost schema",
                           shown, text.data);
        return;
    }
    *link->to = node;
}

void resolve_links(struct compilation *compilation)
{
    qsort(compilation->origins, compilation->origin_count, sizeof(*compilation->origins), by_view);
    for (const struct link *link = compilation->links; link != NULL; link = link->next) {
        resolve(compilation, link);
    }
}

/* ---- loops ---- */

enum { UNSEEN, ENTERED, LEFT };

struct search {
    bool loops, too_high;
};

static void visit(struct search *search, struct node *node, size_t depth);

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than SCHEMA_IN_PLACE_MAX */
static void visit_rule(struct search *search, struct node *node, const struct rule *rule,
                       size_t depth)
{
    for (size_t i = 0; i < rule->node_count; i++) {
        /* Nodes are changed by nobody but this file. */
        struct node *const inner = (struct node *)(uintptr_t)rule->nodes[i];
        if (inner == NULL) continue;
        visit(search, inner, depth + 1);
        if (search->loops || search->too_high) return;
        if (inner->height >= node->height) node->height = (uint16_t)(inner->height + 1);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void visit(struct search *search, struct node *node, size_t depth)
{
    search->loops = node->visit == ENTERED;
    search->too_high = depth + node->height > SCHEMA_IN_PLACE_MAX;
    if (search->loops || search->too_high || node->visit == LEFT) return;
    node->visit = ENTERED;
    for (const struct rule *rule = node->rules; rule != NULL; rule = rule->next) {
        if (rule->in_place) visit_rule(search, node, rule, depth);
        if (search->loops || search->too_high) return;
    }
    node->visit = LEFT;
}

/* Only a $ref can make a loop, and only through $ref do schemas come high without being nested. */
void look_for_loops(struct compilation *compilation)
{
    for (const struct link *link = compilation->links; link != NULL; link = link->next) {
        struct search search = {0};
        visit(&search, link->from, 0);
        if (search.loops) {
            (void)schema_error(compilation, link->view,
                               "comes back to the same value without an end; refer to it from "
                               "within `properties` or `items`");
            return;
        }
        if (search.too_high) {
            (void)schema_error(compilation, link->view,
                               "more than %d schemas speak of the same value, one by way of the "
                               "other",
                               SCHEMA_IN_PLACE_MAX);
            return;
        }
    }
}
