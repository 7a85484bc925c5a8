/*
 * api/documents.h
 *   Documents that are files of the source tree, embedded in the binary.
 */
#ifndef API_DOCUMENTS_H
#define API_DOCUMENTS_H

#include "sagas/base/bytes.h"

struct bytes document_openapi(void);
struct bytes document_asyncapi(void);
struct bytes document_definition_schema(void);

#endif
