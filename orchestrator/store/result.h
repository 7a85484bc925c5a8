/*
 * orchestrator/store/result.h
 *   Structs from binary results.
 */
#ifndef ORCHESTRATOR_STORE_RESULT_H
#define ORCHESTRATOR_STORE_RESULT_H

#include "orchestrator/store/column.h"
#include "sagas/base/bytes.h"

#include <libpq-fe.h>
#include <stdint.h>

/* Fill the members that `columns` names from row `row`, first column first; bytes are copied. */
void result_row(const PGresult *result, int row, struct columns columns, struct arena *arena,
                void *ret_record);
/* An array of structs, one a row; never NULL. */
void *result_rows(const PGresult *result, struct columns columns, struct arena *arena,
                  size_t *ret_count);

/* A value that is not null. */
int64_t result_bigint(const PGresult *result, int row, int field);
bool result_bool(const PGresult *result, int row, int field);

#endif
