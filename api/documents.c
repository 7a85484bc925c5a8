#include "api/documents.h"

#include "api/documents_data.h"

struct bytes document_openapi(void)
{
    return (struct bytes){(const char *)DOCUMENT_OPENAPI, DOCUMENT_OPENAPI_SIZE};
}

struct bytes document_asyncapi(void)
{
    return (struct bytes){(const char *)DOCUMENT_ASYNCAPI, DOCUMENT_ASYNCAPI_SIZE};
}

struct bytes document_definition_schema(void)
{
    return (struct bytes){(const char *)DOCUMENT_SAGA_DEFINITION, DOCUMENT_SAGA_DEFINITION_SIZE};
}
