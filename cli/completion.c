/*
 * cli/completion.c
 *   Completion scripts for three shells, generated from the tables of commands and options.
 *
 * None of the scripts runs sagactl: completing must not wait for a network.
 */
#include "cli/command.h"
#include "cli/nearest.h"

#include <stdio.h>
#include <string.h>

static bool takes_file(const struct option_rule *rule)
{
    return rule->value != NULL && strncmp(rule->value, "FILE", 4) == 0;
}

static void print_options(const struct command *command, const char *separator)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (command_takes(command, (enum option)i)) {
            (void)printf("--%s%s", option_rule((enum option)i)->name, separator);
        }
    }
}

/* First words, each once; second words of `group`. */
static void print_words(const char *group, const char *separator)
{
    const char *last = "";
    size_t last_size = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *name = COMMANDS[i].name;
        const size_t size = strcspn(name, " ");
        if (group == NULL) {
            const bool same = size == last_size && strncmp(name, last, size) == 0;
            if (!same) (void)printf("%.*s%s", (int)size, name, separator);
            last = name;
            last_size = size;
        } else if (strncmp(name, group, size) == 0 && group[size] == '\0' && name[size] == ' ') {
            (void)printf("%s%s", name + size + 1, separator);
        }
    }
}

/* Calls `print` for the first word of each group once. */
static void each_group(void (*print)(const char *group))
{
    char last[32] = "";
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const size_t size = strcspn(COMMANDS[i].name, " ");
        char group[32];
        (void)snprintf(group, sizeof group, "%.*s", (int)size, COMMANDS[i].name);
        if (COMMANDS[i].name[size] == '\0' || strcmp(group, last) == 0) continue;
        print(group);
        (void)snprintf(last, sizeof last, "%s", group);
    }
}

/* ---- bash ---- */

static void bash_group(const char *group)
{
    (void)printf("        '%s ') words='", group);
    print_words(group, " ");
    (void)printf("' ;;\n");
}

/* What may follow an option that takes a value. */
static void bash_values(const struct option_rule *rule)
{
    (void)printf("        --%s) ", rule->name);
    if (rule->choices != NULL) {
        (void)printf("COMPREPLY=($(compgen -W '");
        for (const char *const *choice = rule->choices; *choice != NULL; choice++) {
            (void)printf("%s ", *choice);
        }
        (void)printf("' -- \"$cur\")); ");
    } else if (takes_file(rule)) {
        (void)printf("COMPREPLY=($(compgen -f -- \"$cur\")); ");
    }
    (void)printf("return ;;\n");
}

static void bash_begin(void)
{
    (void)printf(
        "# bash completion of sagactl; made by: sagactl completion bash\n"
        "_sagactl() {\n"
        "    local cur prev words='' verb='' word i\n"
        "    cur=${COMP_WORDS[COMP_CWORD]}\n"
        "    prev=${COMP_WORDS[COMP_CWORD-1]}\n"
        "    COMPREPLY=()\n"
        "    case $prev in\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_rule *rule = option_rule((enum option)i);
        if (rule->value != NULL) bash_values(rule);
    }
    (void)printf(
        "    esac\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        word=${COMP_WORDS[i]}\n"
        "        case $word in -*) continue ;; esac\n"
        "        verb=\"$verb$word \"\n"
        "    done\n");
}

static void bash_words(void)
{
    (void)printf(
        "    case $verb in\n"
        "        '') words='");
    print_words(NULL, " ");
    (void)printf("' ;;\n");
    each_group(bash_group);
    (void)printf(
        "        'completion ') words='bash zsh fish' ;;\n"
        "        'definitions apply '*|'definitions lint '*)\n"
        "            [[ $cur == -* ]] || { COMPREPLY=($(compgen -f -- \"$cur\")); return; } ;;\n"
        "    esac\n");
}

/* Longer names come first: a pattern of `demo` would also take `demo updates`. */
static void bash_options(void)
{
    (void)printf(
        "    if [[ $cur == -* ]]; then\n"
        "        case $verb in\n");
    for (size_t i = COMMAND_COUNT; i-- > 0;) {
        (void)printf("            '%s '*) words='", COMMANDS[i].name);
        print_options(&COMMANDS[i], " ");
        (void)printf("' ;;\n");
    }
    (void)printf(
        "        esac\n"
        "    fi\n");
}

static void print_bash(void)
{
    bash_begin();
    bash_words();
    bash_options();
    (void)printf(
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
        "}\n"
        "complete -F _sagactl sagactl\n");
}

/* ---- zsh ---- */

static void zsh_group(const char *group)
{
    (void)printf("        (%s) compadd ", group);
    print_words(group, " ");
    (void)printf(";;\n");
}

static void zsh_choices(const struct option_rule *rule)
{
    (void)printf("        (--%s) ", rule->name);
    if (rule->choices != NULL) {
        (void)printf("compadd ");
        for (const char *const *choice = rule->choices; *choice != NULL; choice++) {
            (void)printf("%s ", *choice);
        }
        (void)printf("; ");
    } else if (takes_file(rule)) {
        (void)printf("_files; ");
    }
    (void)printf("return ;;\n");
}

static void print_zsh(void)
{
    (void)printf(
        "#compdef sagactl\n"
        "# zsh completion of sagactl; made by: sagactl completion zsh\n"
        "_sagactl() {\n"
        "    local -a verb\n"
        "    local word\n"
        "    case ${words[CURRENT-1]} in\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (option_rule((enum option)i)->value != NULL) zsh_choices(option_rule((enum option)i));
    }
    (void)printf(
        "    esac\n"
        "    for word in ${words[2,CURRENT-1]}; do\n"
        "        [[ $word == -* ]] || verb+=($word)\n"
        "    done\n"
        "    if [[ ${words[CURRENT]} == -* ]]; then\n"
        "        case \"${verb[*]} \" in\n");
    for (size_t i = COMMAND_COUNT; i-- > 0;) {
        (void)printf("        ('%s '*) compadd -- ", COMMANDS[i].name);
        print_options(&COMMANDS[i], " ");
        (void)printf(";;\n");
    }
    (void)printf(
        "        esac\n"
        "        return\n"
        "    fi\n"
        "    case \"${verb[*]}\" in\n"
        "        ('') compadd ");
    print_words(NULL, " ");
    (void)printf(";;\n");
    each_group(zsh_group);
    (void)printf(
        "        (completion) compadd bash zsh fish ;;\n"
        "        ('definitions apply'*|'definitions lint'*) _files ;;\n"
        "    esac\n"
        "}\n"
        "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
        "    _sagactl \"$@\"\n"
        "else\n"
        "    compdef _sagactl sagactl\n"
        "fi\n");
}

/* ---- fish ---- */

static void fish_option(const struct command *command, enum option option)
{
    const struct option_rule *rule = option_rule(option);
    const char *space = strchr(command->name, ' ');
    (void)printf("complete -c sagactl -n '__fish_seen_subcommand_from %.*s%s%s' -l %s",
                 (int)strcspn(command->name, " "), command->name,
                 space != NULL ? "; and __fish_seen_subcommand_from " : "",
                 space != NULL ? space + 1 : "", rule->name);
    if (rule->letter != '\0') (void)printf(" -s %c", rule->letter);
    if (rule->value != NULL) (void)printf(" -r");
    if (rule->choices != NULL) {
        (void)printf(" -f -a '");
        for (const char *const *choice = rule->choices; *choice != NULL; choice++) {
            (void)printf("%s ", *choice);
        }
        (void)printf("'");
    }
    (void)printf("\n");
}

static void fish_options(const struct command *command)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (command_takes(command, (enum option)i)) fish_option(command, (enum option)i);
    }
}

static void fish_group(const char *group)
{
    (void)printf("complete -c sagactl -f -n '__fish_seen_subcommand_from %s' -a '", group);
    print_words(group, " ");
    (void)printf("'\n");
}

static void print_fish(void)
{
    (void)printf(
        "# fish completion of sagactl; made by: sagactl completion fish\n"
        "complete -c sagactl -f -n __fish_use_subcommand -a '");
    print_words(NULL, " ");
    (void)printf("'\n");
    each_group(fish_group);
    (void)printf(
        "complete -c sagactl -f -n '__fish_seen_subcommand_from completion'"
        " -a 'bash zsh fish'\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fish_options(&COMMANDS[i]);
    }
}

static const struct {
    const char *name;
    void (*print)(void);
} SHELLS[] = {
    {"bash", print_bash},
    {"zsh",  print_zsh },
    {"fish", print_fish}
};

enum status run_completion(struct cli *cli)
{
    const char *name = cli_word(cli, 0);
    struct nearest nearest = {.word = name};
    for (size_t i = 0; i < sizeof SHELLS / sizeof SHELLS[0]; i++) {
        if (strcmp(SHELLS[i].name, name) == 0) {
            SHELLS[i].print();
            return STATUS_OK;
        }
        nearest_try(&nearest, SHELLS[i].name);
    }
    return tell_error(STATUS_USAGE, "no completion for `%s`; there is bash, zsh and fish", name);
}
