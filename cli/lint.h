/* cli/lint.h: a definition's file, read and checked as the registration does it. */
#ifndef CLI_LINT_H
#define CLI_LINT_H

#include "cli/cli.h"
#include "sagas/definition/definition.h"

/* NULL, every error told with its line, when it cannot be read or has one. The caller frees.
 */
struct definition *lint_read(struct cli *cli, const char *file);

#endif
