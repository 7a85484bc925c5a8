# cmake -DINPUT=x.json -DOUTPUT=x.c -P Embed.cmake: the schema as `definition_schema`.
file(READ "${INPUT}" text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE "${OUTPUT}" "/* Generated from saga-definition.schema.json. */
#include \"sagas/definition/schema.h\"

static const char TEXT[] =
    \"${text}\";

struct bytes definition_schema(void)
{
    return (struct bytes){TEXT, sizeof(TEXT) - 1};
}
")
