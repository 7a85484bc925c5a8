/* config: the contexts file from the command line. */
#include "cli/command.h"
#include "cli/config.h"
#include "cli/nearest.h"
#include "cli/table.h"
#include "sagas/base/json_view.h"

#include <stdio.h>
#include <string.h>

enum status run_config_set_context(struct cli *cli)
{
    struct config config;
    if (config_load(&cli->arena, &config) != STATUS_OK) return STATUS_ERROR;
    const char *url = arguments_text(&cli->arguments, OPTION_URL);
    const char *key = arguments_text(&cli->arguments, OPTION_KEY);
    if (url == NULL && key == NULL) return tell_error(STATUS_USAGE, "give --url, --key or both");
    if (url != NULL) {
        /* Only to check the address: nothing is sent. */
        const struct client_options options = {.url = url};
        const enum status status = client_open(&options, &cli->client);
        if (status != STATUS_OK) return status;
    }
    struct context *context = config_add(&config, cli_word(cli, 0), &cli->arena);
    if (url != NULL) context->url = url;
    if (key != NULL) context->key = *key != '\0' ? key : NULL;
    if (config.current == NULL) config.current = context->name;
    const enum status status = config_save(&config, &cli->arena);
    if (status == STATUS_OK) {
        tell("context %s is in %s%s", context->name, config.file,
             strcmp(config.current, context->name) == 0 ? " and in use" : "");
    }
    return status;
}

enum status run_config_use_context(struct cli *cli)
{
    struct config config;
    if (config_load(&cli->arena, &config) != STATUS_OK) return STATUS_ERROR;
    const char *name = cli_word(cli, 0);
    struct nearest nearest = {.word = name};
    for (size_t i = 0; i < config.count; i++) {
        nearest_try(&nearest, config.contexts[i].name);
    }
    if (config_find(&config, name) == NULL && nearest.best != NULL) {
        return tell_error(STATUS_NOT_FOUND, "there is no context `%s`; did you mean `%s`?", name,
                          nearest.best);
    }
    if (config_find(&config, name) == NULL) {
        return tell_error(
            STATUS_NOT_FOUND,
            "there is no context `%s`; make it: sagactl config set-context %s --url URL", name,
            name);
    }
    config.current = name;
    return config_save(&config, &cli->arena);
}

static void print_raw(struct cli *cli, const struct config *config)
{
    struct buffer out = buffer_in(&cli->arena);
    if (cli->format == FORMAT_JSON) buffer_add_text(&out, "{\"current_context\":");
    if (cli->format == FORMAT_JSON) json_write_text(&out, config->current);
    if (cli->format == FORMAT_JSON) buffer_add_text(&out, ",\"items\":[");
    for (size_t i = 0; i < config->count; i++) {
        if (cli->format == FORMAT_ID) {
            buffer_add_format(&out, "%s\n", config->contexts[i].name);
            continue;
        }
        if (i > 0 && cli->format == FORMAT_JSON) buffer_add_char(&out, ',');
        buffer_add_text(&out, "{\"name\":");
        json_write_text(&out, config->contexts[i].name);
        buffer_add_text(&out, ",\"url\":");
        json_write_text(&out, config->contexts[i].url);
        buffer_add_format(&out, ",\"has_key\":%s}",
                          config->contexts[i].key != NULL ? "true" : "false");
        if (cli->format == FORMAT_JSONL) buffer_add_char(&out, '\n');
    }
    if (cli->format == FORMAT_JSON) buffer_add_text(&out, "]}\n");
    if (out.data != NULL) terminal_put(buffer_bytes(&out));
}

enum status run_config_get_contexts(struct cli *cli)
{
    struct config config;
    if (config_load(&cli->arena, &config) != STATUS_OK) return STATUS_ERROR;
    if (!cli_is_table(cli)) {
        print_raw(cli, &config);
        return STATUS_OK;
    }
    if (config.count == 0) {
        tell("no contexts; make one: sagactl config set-context NAME --url URL");
        return STATUS_OK;
    }
    struct table table = table_in(&cli->arena);
    table_column(&table, "USED");
    table_column(&table, "NAME");
    table_column(&table, "URL");
    table_column(&table, "KEY");
    for (size_t i = 0; i < config.count; i++) {
        const struct context *context = &config.contexts[i];
        const bool used = config.current != NULL && strcmp(config.current, context->name) == 0;
        table_add_text(&table, STYLE_GOOD, used ? "*" : "");
        table_add_text(&table, STYLE_PLAIN, context->name);
        table_add_text(&table, STYLE_PLAIN, context->url != NULL ? context->url : "");
        table_add_text(&table, STYLE_DIM, context->key != NULL ? "kept" : "");
    }
    struct buffer out = buffer_in(&cli->arena);
    table_print(&table, &cli->terminal, "", &out);
    terminal_put(buffer_bytes(&out));
    return STATUS_OK;
}

enum status run_config_view(struct cli *cli)
{
    if (!cli_is_table(cli)) return run_config_get_contexts(cli);
    struct config config;
    if (config_load(&cli->arena, &config) != STATUS_OK) return STATUS_ERROR;
    (void)printf("file: %s\n", config.file);
    return run_config_get_contexts(cli);
}
