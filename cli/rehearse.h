/* cli/rehearse.h: a definition's file played by the rules in here, without a server. */
#ifndef CLI_REHEARSE_H
#define CLI_REHEARSE_H

#include "cli/cli.h"

/* JSON of an option; absent where it is not given. False, told, when it is no JSON. */
bool rehearse_option(struct cli *cli, enum option option, struct bytes *ret_json);
/* What `rehearsal` of the server's answer would hold. */
enum status rehearse_file(struct cli *cli, const char *file, struct bytes *ret_json);

#endif
