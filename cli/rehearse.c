/* Apart from simulate.c: `struct command` of the rules is not that of the command line. */
#include "cli/rehearse.h"

#include "cli/files.h"
#include "cli/lint.h"
#include "cli/times.h"
#include "sagas/rehearsal/rehearsal.h"

bool rehearse_option(struct cli *cli, enum option option, struct bytes *ret_json)
{
    const char *const value = arguments_text(&cli->arguments, option);
    *ret_json = (struct bytes){0};
    return value == NULL || files_read_json(value, &cli->arena, ret_json);
}

enum status rehearse_file(struct cli *cli, const char *file, struct bytes *ret_json)
{
    struct bytes outputs;
    struct json_error json_error;
    struct expression_error error;
    struct rehearsal rehearsal;
    struct buffer json = buffer_in(&cli->arena);
    struct rehearsal_plan plan = {.now_ms = times_now_ms(),
                                  .explore = arguments_has(&cli->arguments, OPTION_EXPLORE)};
    if (!rehearse_option(cli, OPTION_INPUT, &plan.input) ||
        !rehearse_option(cli, OPTION_ANSWERS, &outputs)) {
        return STATUS_USAGE;
    }
    if (outputs.data != NULL &&
        !json_view_parse(outputs, &cli->arena, &plan.outputs, &json_error)) {
        return tell_error(STATUS_USAGE, "--answers: %s", json_error.what);
    }
    struct definition *const definition = lint_read(cli, file);
    if (definition == NULL) return STATUS_ERROR;
    const bool played = rehearse(definition, &plan, &cli->arena, &rehearsal, &error);
    if (played) rehearsal_write(definition, &rehearsal, &json);
    definition_free(definition);
    if (!played) return tell_error(STATUS_ERROR, "the start is refused: %s", error.detail);
    *ret_json = buffer_bytes(&json);
    return STATUS_OK;
}
