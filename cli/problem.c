#include "cli/problem.h"

#include "cli/json.h"

#include <string.h>

enum { PLACES_MAX = 50 };

#define TEXT(bytes) (int)(bytes).size, (bytes).data != NULL ? (bytes).data : ""

/* What is in `type` after the last slash. */
static struct bytes slug(const struct json_view *problem)
{
    struct bytes type = json_text(problem, "type");
    for (size_t i = type.size; i > 0; i--) {
        if (type.data[i - 1] == '/') return (struct bytes){type.data + i, type.size - i};
    }
    return type;
}

void problem_tell_places(const char *prefix, const struct json_view *errors)
{
    if (errors == NULL || errors->type != VIEW_ARRAY) return;
    size_t left = PLACES_MAX;
    for (const struct json_view *error = errors->child; error != NULL; error = error->next) {
        if (left-- == 0) {
            tell("%s... %u more", prefix, errors->count - PLACES_MAX);
            return;
        }
        const struct bytes pointer = json_text(error, "pointer");
        const struct bytes detail = json_text(error, "detail");
        tell("%s%.*s%s%.*s", prefix, TEXT(pointer), pointer.size > 0 ? ": " : "", TEXT(detail));
    }
}

struct bytes problem_line(const struct json_view *problem, struct arena *arena)
{
    struct bytes detail = json_text(problem, "detail");
    if (detail.size == 0) detail = json_text(problem, "title");
    struct buffer line = buffer_in(arena);
    buffer_add_bytes(&line, slug(problem));
    if (line.size > 0 && detail.size > 0) buffer_add_text(&line, ": ");
    buffer_add_bytes(&line, detail);
    return line.data != NULL ? buffer_bytes(&line) : BYTES("refused");
}

static void tell_no_answer(const char *url, const struct answer *answer)
{
    tell("sagactl: no answer from %s: %s", url, answer->trouble);
    tell("  cure: start it (sagad dev), or name another address with --url or SAGACTL_URL");
}

/* What to do about statuses that are about us and not about the request. */
static const char *cure_of(long http_status)
{
    switch (http_status) {
    case 401: return "give an API key: --key, SAGACTL_KEY or `sagactl config set-context`";
    case 403: return "this key's role may not do that; use one with a higher role";
    case 503: return "sagad is up but something that it needs is not; see /readyz?verbose";
    default: return NULL;
    }
}

/* What the page of the problem says about mending it; absent when it cannot be had. */
static struct bytes cure_of_page(struct client *client, struct bytes type, struct arena *arena)
{
    static const char *const PAGES = "/problems/";
    const bool page = type.size > strlen(PAGES) && memcmp(type.data, PAGES, strlen(PAGES)) == 0;
    if (!page) return (struct bytes){NULL, 0};
    const struct request request = {.path = bytes_copy(arena, type).data, .patience_ms = 1};
    struct answer answer;
    if (client_try(client, &request, arena, &answer) != STATUS_OK) return (struct bytes){NULL, 0};
    return json_text(answer.json, "fix");
}

static void tell_cure(struct client *client, const struct answer *answer, struct arena *arena)
{
    const char *known = cure_of(answer->http_status);
    const struct bytes type = json_text(answer->json, "type");
    struct bytes fix = json_text(answer->json, "fix");
    if (fix.size == 0 && known == NULL) fix = cure_of_page(client, type, arena);
    if (fix.size > 0) {
        tell("  cure: %.*s", TEXT(fix));
    } else if (known != NULL) {
        tell("  cure: %s", known);
    }
}

void problem_tell(struct client *client, const struct answer *answer, struct arena *arena)
{
    const char *url = client_url(client);
    if (answer->http_status == 0) {
        tell_no_answer(url, answer);
        return;
    }
    const struct json_view *problem = answer->json;
    if (json_value(problem, "title") == NULL && json_value(problem, "type") == NULL) {
        tell("sagactl: %s answered %ld and no problem page; is it sagad?", url,
             answer->http_status);
        return;
    }
    /* With places the detail only repeats them. */
    const struct json_view *errors = json_value(problem, "errors");
    const bool places = errors != NULL && errors->child != NULL;
    const struct bytes title = json_text(problem, "title");
    const struct bytes line = places && title.size > 0 ? title : problem_line(problem, arena);
    tell("sagactl: %.*s (%ld)", TEXT(line), answer->http_status);
    problem_tell_places("  ", errors);
    tell_cure(client, answer, arena);
    const struct bytes request_id = json_text(problem, "request_id");
    if (request_id.size > 0 && answer->http_status >= 500) {
        tell("  request: %.*s", TEXT(request_id));
    }
}
