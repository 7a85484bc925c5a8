#include "cli/command.h"

#include <stdio.h>
#include <string.h>

static void print_option(enum option option)
{
    const struct option_rule *rule = option_rule(option);
    char left[64];
    (void)snprintf(left, sizeof left, "%c%c%s --%s%s%s", rule->letter != '\0' ? '-' : ' ',
                   rule->letter != '\0' ? rule->letter : ' ', rule->letter != '\0' ? "," : " ",
                   rule->name, rule->value != NULL ? " " : "",
                   rule->value != NULL ? rule->value : "");
    (void)printf("  %-30s %s\n", left, rule->help);
}

static void print_common_options(void)
{
    for (int i = 0; i < OPTION_EVERYWHERE; i++) {
        print_option((enum option)i);
    }
}

static void print_command_line(const struct command *command)
{
    char left[64];
    (void)snprintf(left, sizeof left, "%s %s", command->name, command->arguments);
    (void)printf("  %-30s %s\n", left, command->summary);
}

void help_print_all(void)
{
    (void)printf(
        "sagactl: see and steer the sagas of sagad\n\n"
        "  sagactl COMMAND [ARGUMENTS] [OPTIONS]\n\n"
        "Commands\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        print_command_line(&COMMANDS[i]);
    }
    (void)printf("\nOptions of every command (`sagactl help COMMAND` shows the others)\n");
    print_common_options();
    (void)printf(
        "\nExit codes: 0 ok, 1 error, 2 wrong usage, 3 not found, 4 conflict,\n"
        "5 the saga ended, but not well (wait, watch, start --wait), 124 timeout.\n"
        "Data goes to stdout, talk to stderr. NO_COLOR=1 turns colours off.\n");
}

void help_print(const struct command *command)
{
    (void)printf("sagactl %s%s%s\n  %s\n", command->name, *command->arguments != '\0' ? " " : "",
                 command->arguments, command->summary);
    if (command->more != NULL) (void)printf("\n%s", command->more);
    (void)printf("\nOptions\n");
    for (const enum option *each = command->options; each != NULL && *each != OPTION_END; each++) {
        print_option(*each);
    }
    print_common_options();
}

bool help_print_group(const char *word)
{
    const size_t size = strlen(word);
    bool found = false;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *name = COMMANDS[i].name;
        if (strncmp(name, word, size) != 0 || (name[size] != ' ' && name[size] != '\0')) continue;
        print_command_line(&COMMANDS[i]);
        found = true;
    }
    return found;
}

enum status run_help(struct cli *cli)
{
    const char *first = cli_word(cli, 0);
    if (first == NULL) {
        help_print_all();
        return STATUS_OK;
    }
    /* `definitions` alone is no command; its help lists what it begins. */
    if (cli_word(cli, 1) == NULL && !command_exists(first) && help_print_group(first)) {
        return STATUS_OK;
    }
    size_t words = 0;
    const struct command *command = command_find(&cli->arguments, &words);
    if (command == NULL) return STATUS_USAGE;
    help_print(command);
    return STATUS_OK;
}
