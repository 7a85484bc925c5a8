/*
 * orchestrator/daemon/tools.h
 *   The subcommands of sagad that do one thing and end. Each returns the exit status.
 */
#ifndef ORCHESTRATOR_DAEMON_TOOLS_H
#define ORCHESTRATOR_DAEMON_TOOLS_H

struct config;

/* Exit statuses, the same for every subcommand. */
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int tool_serve(const struct config *config, const char **words);
int tool_dev(const struct config *config, const char **words);
int tool_migrate(const struct config *config, const char **words);
int tool_maintain(const struct config *config, const char **words);
int tool_topics(const struct config *config, const char **words);      /* plan | apply */
int tool_keys(const struct config *config, const char **words);        /* add NAME */
int tool_config(const struct config *config, const char **words);      /* check | print */
int tool_healthcheck(const struct config *config, const char **words); /* asks /readyz */
int tool_version(const struct config *config, const char **words);

#endif
