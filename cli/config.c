#include "cli/config.h"

#include "cli/files.h"
#include "cli/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_SIZE_MAX = 1024 * 1024 };

static const char *file_name(struct arena *arena)
{
    const char *named = getenv("SAGACTL_CONFIG");
    const char *xdg = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    struct buffer name = buffer_in(arena);
    if (named != NULL && *named != '\0') {
        buffer_add_text(&name, named);
    } else if (xdg != NULL && *xdg == '/') {
        buffer_add_format(&name, "%s/sagactl/config.json", xdg);
    } else {
        buffer_add_format(&name, "%s/.config/sagactl/config.json", home != NULL ? home : "");
    }
    return name.data;
}

static const char *text_or_null(const struct json_view *view, const char *name, struct arena *arena)
{
    const struct bytes text = json_text(view, name);
    return text.data != NULL ? bytes_copy(arena, text).data : NULL;
}

static enum status read_contexts(struct config *config, const struct json_view *root,
                                 struct arena *arena)
{
    const struct json_view *contexts = json_value(root, "contexts");
    if (root->type != VIEW_OBJECT || (contexts != NULL && contexts->type != VIEW_OBJECT)) {
        return tell_error(STATUS_ERROR, "%s: `contexts` must be an object", config->file);
    }
    config->current = text_or_null(root, "current_context", arena);
    const struct json_view *each = contexts != NULL ? contexts->child : NULL;
    for (; each != NULL; each = each->next) {
        struct context *context = config_add(config, bytes_copy(arena, each->key).data, arena);
        context->url = text_or_null(each, "url", arena);
        context->key = text_or_null(each, "key", arena);
    }
    return STATUS_OK;
}

enum status config_load(struct arena *arena, struct config *ret_config)
{
    *ret_config = (struct config){.file = file_name(arena)};
    struct stat info;
    if (stat(ret_config->file, &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return STATUS_OK;
        return tell_error(STATUS_ERROR, "%s: %s", ret_config->file, strerror(errno));
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        tell("sagactl: others may read %s, which can hold keys; cure: chmod 600", ret_config->file);
    }
    struct bytes text;
    if (!files_read(ret_config->file, CONFIG_SIZE_MAX, arena, &text)) return STATUS_ERROR;
    const struct json_view *root = NULL;
    struct json_error error;
    if (!json_view_parse(text, arena, &root, &error)) {
        return tell_error(STATUS_ERROR, "%s: no JSON at byte %zu: %s", ret_config->file,
                          error.offset, error.what);
    }
    return read_contexts(ret_config, root, arena);
}

struct context *config_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->contexts[i].name, name) == 0) return &config->contexts[i];
    }
    return NULL;
}

struct context *config_add(struct config *config, const char *name, struct arena *arena)
{
    struct context *found = config_find(config, name);
    if (found != NULL) return found;
    struct context *grown = arena_array(arena, config->count + 1, sizeof *grown);
    if (config->count > 0) memcpy(grown, config->contexts, config->count * sizeof *grown);
    grown[config->count] = (struct context){.name = name};
    config->contexts = grown;
    return &grown[config->count++];
}

static struct bytes config_text(const struct config *config, struct arena *arena)
{
    struct buffer text = buffer_in(arena);
    buffer_add_text(&text, "{\n  \"current_context\": ");
    json_write_text(&text, config->current);
    buffer_add_text(&text, ",\n  \"contexts\": {");
    for (size_t i = 0; i < config->count; i++) {
        buffer_add_text(&text, i == 0 ? "\n    " : ",\n    ");
        json_write_text(&text, config->contexts[i].name);
        buffer_add_text(&text, ": {\"url\": ");
        json_write_text(&text, config->contexts[i].url);
        buffer_add_text(&text, ", \"key\": ");
        json_write_text(&text, config->contexts[i].key);
        buffer_add_char(&text, '}');
    }
    buffer_add_text(&text, "\n  }\n}\n");
    return buffer_bytes(&text);
}

/* Make the folders above `file`; those that are there are left as they are. */
static void make_folders(const char *file, struct arena *arena)
{
    char *path = arena_copy(arena, file, strlen(file));
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
}

static bool write_whole(int file, struct bytes text)
{
    size_t done = 0;
    while (done < text.size) {
        const ssize_t written = write(file, text.data + done, text.size - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        done += (size_t)written;
    }
    return fsync(file) == 0;
}

enum status config_save(const struct config *config, struct arena *arena)
{
    make_folders(config->file, arena);
    struct buffer fresh = buffer_in(arena);
    buffer_add_format(&fresh, "%s.XXXXXX", config->file);
    const int file = mkstemp(fresh.data); /* mode 0600 */
    if (file < 0) {
        return tell_error(STATUS_ERROR, "cannot write %s: %s", config->file, strerror(errno));
    }
    const bool written = write_whole(file, config_text(config, arena));
    const int trouble = errno;
    if (close(file) == 0 && written && rename(fresh.data, config->file) == 0) return STATUS_OK;
    const int reason = written ? errno : trouble;
    (void)unlink(fresh.data);
    return tell_error(STATUS_ERROR, "cannot write %s: %s", config->file, strerror(reason));
}
