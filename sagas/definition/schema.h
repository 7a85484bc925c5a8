/*
 * sagas/definition/schema.h
 *   The JSON Schema of a definition, for editors and for `/schemas/saga-definition-1.json`.
 *
 * It says what a definition looks like; definition_parse also checks what no schema can say.
 */
#ifndef SAGAS_DEFINITION_SCHEMA_H
#define SAGAS_DEFINITION_SCHEMA_H

#include "sagas/base/bytes.h"

/* JSON text; lives as long as the program. */
struct bytes definition_schema(void);

#endif
