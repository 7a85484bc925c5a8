/*
 * orchestrator/dev/private_postgres.h
 *   A PostgreSQL cluster of our own on a free loopback port, from the installed server binaries.
 *
 * For `sagad dev` and for tests. PostgreSQL refuses to run as root: then its processes run as
 * user postgres, who owns the directory. fsync is on. The server ends when its owner calls
 * stop, and also when the owner dies (a watcher holds a pipe).
 */
#ifndef ORCHESTRATOR_DEV_PRIVATE_POSTGRES_H
#define ORCHESTRATOR_DEV_PRIVATE_POSTGRES_H

#include "orchestrator/base/err.h"

struct private_postgres;

/*
 * `directory` NULL: a temporary cluster, removed at the stop. Else it is kept and used again.
 * `settings`: further lines of postgresql.conf, NULL for none. ERR_INVALID when no server is
 * installed; text names the cure.
 */
MUST_CHECK bool private_postgres_start(const char *directory, const char *settings,
                                       struct private_postgres **ret_postgres, struct err *err);
/* postgresql://postgres@127.0.0.1:port/postgres; borrowed. */
const char *private_postgres_url(const struct private_postgres *postgres);
/* Where its files are, absolute; borrowed. Others may keep theirs in it as long as it runs. */
const char *private_postgres_directory(const struct private_postgres *postgres);
/* Kill as a crash would (immediate shutdown) and start again on the same port and data. */
MUST_CHECK bool private_postgres_crash(struct private_postgres *postgres, struct err *err);
bool private_postgres_runs(const struct private_postgres *postgres);
/* It ended by itself: start it again, same port and data. May be tried again when it fails. */
MUST_CHECK bool private_postgres_start_again(struct private_postgres *postgres, struct err *err);
void private_postgres_stop(struct private_postgres *postgres); /* fast; NULL is fine */

#endif
