#include "sagas/definition/definition.h"

#include <string.h>

/* `*` any run, `?` any one byte. A mismatch goes back to the newest star only: linear in practice.
 */
static bool glob_matches(struct bytes glob, struct bytes topic)
{
    size_t g = 0;
    size_t t = 0;
    size_t star = glob.size; /* none yet */
    size_t resume = 0;
    while (t < topic.size) {
        if (g < glob.size && glob.data[g] == '*') {
            star = g++;
            resume = t;
        } else if (g < glob.size && (glob.data[g] == '?' || glob.data[g] == topic.data[t])) {
            g++;
            t++;
        } else if (star < glob.size) {
            g = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (g < glob.size && glob.data[g] == '*') {
        g++;
    }
    return g == glob.size;
}

static struct bytes trimmed(const char *start, size_t size)
{
    while (size > 0 && *start == ' ') {
        start++;
        size--;
    }
    while (size > 0 && start[size - 1] == ' ') {
        size--;
    }
    return (struct bytes){start, size};
}

static bool any_matches(const char *globs, struct bytes topic)
{
    for (const char *rest = globs; rest != NULL;) {
        const char *comma = strchr(rest, ',');
        const size_t size = comma == NULL ? strlen(rest) : (size_t)(comma - rest);
        if (size > 0 && glob_matches(trimmed(rest, size), topic)) return true;
        rest = comma == NULL ? NULL : comma + 1;
    }
    return false;
}

bool definition_topic_allowed(const char *topics_allow, struct bytes topic)
{
    if (topics_allow == NULL) return !any_matches("saga.*,__*", topic);
    return any_matches(topics_allow, topic);
}
