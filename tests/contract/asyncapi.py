"""AsyncAPI 3.0 as far as its rules can be checked without a schema of it, and as much of JSON Schema as the documents use."""
import re
import uuid


class Document:
    def __init__(self, json):
        self.json = json

    def resolve(self, value):
        while isinstance(value, dict) and "$ref" in value:
            value = self.at(value["$ref"])
        return value

    def at(self, pointer):
        assert pointer.startswith("#/"), pointer
        value = self.json
        for token in pointer[2:].split("/"):
            value = value[token.replace("~1", "/").replace("~0", "~")]
        return value

    def must_be_whole(self):
        assert re.fullmatch(r"3\.0\.\d+", self.json["asyncapi"])
        assert self.json["info"]["title"] and self.json["info"]["version"]
        assert set(self.json) <= {"asyncapi", "info", "servers", "defaultContentType", "channels", "operations", "components"}
        for value in every(self.json):
            if isinstance(value, dict) and isinstance(value.get("$ref"), str):
                assert set(value) == {"$ref"}, "nothing beside a reference counts"
                self.at(value["$ref"])
        for name, channel in self.json["channels"].items():
            self.must_be_channel(name, channel)
        for operation in self.json["operations"].values():
            self.must_be_operation(operation)

    def must_be_channel(self, name, channel):
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel.get("parameters", {})), name
        assert channel["messages"], name
        for message in channel["messages"].values():
            message = self.resolve(message)
            assert self.resolve(message["headers"])["type"] == "object"
            if "correlationId" in message:
                assert self.resolve(message["correlationId"])["location"].startswith("$message.header#/")

    def must_be_operation(self, operation):
        assert operation["action"] in ("send", "receive")
        for part in filter(None, (operation, operation.get("reply"))):
            place = part["channel"]["$ref"]
            assert place.startswith("#/channels/")
            for message in part["messages"]:
                assert message["$ref"].startswith(place + "/messages/"), "messages are those of the operation's channel"

    def check(self, schema, value, place="$"):
        schema = self.resolve(schema)
        for part in schema.get("allOf", ()):
            self.check(part, value, place)
        if "const" in schema:
            assert value == schema["const"], (place, value)
        if "enum" in schema:
            assert value in schema["enum"], (place, value)
        types = schema.get("type", [])
        if types:
            kinds = {"string": str, "integer": int, "object": dict, "array": list, "null": type(None), "number": (int, float), "boolean": bool}
            assert isinstance(value, tuple(flat(kinds[kind] for kind in ([types] if isinstance(types, str) else types)))), (place, value)
        if isinstance(value, str):
            assert re.search(schema.get("pattern", ""), value), (place, value)
            assert len(value) <= schema.get("maxLength", len(value)), place
            if schema.get("format") == "uuid":
                uuid.UUID(value)
            if schema.get("format") == "date-time":
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value), (place, value)
        if isinstance(value, dict):
            assert set(schema.get("required", ())) <= set(value), (place, set(schema["required"]) - set(value))
            for name, part in schema.get("properties", {}).items():
                if name in value:
                    self.check(part, value[name], f"{place}/{name}")


def flat(kinds):
    for kind in kinds:
        yield from kind if isinstance(kind, tuple) else (kind,)


def every(value):
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from every(part)
