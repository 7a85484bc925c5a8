/*
 * cli/command.h
 *   The one table of commands: parsing, help and completion come from it.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/cli.h"

enum needs { NEEDS_NOTHING, NEEDS_SERVER };

struct command {
    const char *name;      /* one word, or two: "definitions apply" */
    const char *arguments; /* as in the usage line */
    const char *summary;   /* one line, lower case */
    int least, most;       /* words behind the name; most -1: any number */
    enum needs needs;
    const enum option *options; /* beyond those taken everywhere; OPTION_END ends it; NULL: none */
    enum status (*run)(struct cli *cli);
    const char *more; /* further help, NULL: none */
};

extern const struct command COMMANDS[];
extern const size_t COMMAND_COUNT;

/* The command that the words begin with; NULL, told with the nearest, when there is none. */
const struct command *command_find(const struct arguments *arguments, size_t *ret_words);
bool command_exists(const char *name); /* the whole name */
bool command_takes(const struct command *command, enum option option);
/* Options and number of arguments fit the command; told when not. */
enum status command_check(const struct command *command, const struct arguments *arguments);

void help_print_all(void);
void help_print(const struct command *command);
/* Commands whose name starts with the word, e.g. all of `definitions`; false: none. */
bool help_print_group(const char *word);

/* ---- the commands ---- */

typedef enum status command_run(struct cli *cli);

command_run run_start, run_list, run_count, run_get, run_steps, run_history, run_why, run_wait,
    run_watch;
command_run run_export, run_replay, run_signal;
command_run run_cancel, run_fork, run_pause, run_resume, run_try_again, run_terminate;
command_run run_skip_step, run_complete, run_fail;
command_run run_definitions_apply, run_definitions_lint, run_definitions_list, run_definitions_get;
command_run run_definitions_simulate, run_definitions_impact;
command_run run_batch_migrate, run_batch_start, run_batch_list, run_batch_get, run_batch_items,
    run_batch_wait;
command_run run_batch_pause, run_batch_resume, run_batch_stop;
command_run run_locks;
command_run run_exposure, run_failures_list, run_failures_show;
command_run run_schedules_list, run_schedules_get, run_schedules_apply, run_schedules_delete;
command_run run_schedules_pause, run_schedules_resume, run_schedules_trigger, run_schedules_next;
command_run run_schedules_history;
command_run run_topics_list, run_topics_get, run_topics_pause, run_topics_resume;
command_run run_dead_letters_list, run_dead_letters_replay, run_dead_letters_discard;
command_run run_config_set_context, run_config_use_context, run_config_get_contexts;
command_run run_config_view;
command_run run_version, run_completion, run_help, run_demo, run_demo_updates;

#endif
