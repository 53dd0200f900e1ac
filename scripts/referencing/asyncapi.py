"""The AsyncAPI 3.0 document: a channel and a schema for every event type."""

from typing import Any

import msgspec
import yaml

from actors import DOMAINS
from bus.kit.messages import Event
from scripts.referencing import catalogue
from scripts.referencing.markdown import NOTE, summary

TEXT = {"type": "string"}
SCHEMAS = "#/components/schemas/{name}"


def asyncapi_page() -> str:
    """`docs/asyncapi.yaml`."""
    text: str = yaml.safe_dump(
        document(), sort_keys=False, width=88, allow_unicode=True
    )
    return f"# {NOTE}\n{text}"


def document() -> dict[str, Any]:
    """The document as plain values."""
    kinds = [kind for domain in DOMAINS for kind in catalogue.events(domain)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=SCHEMAS)
    data = dict(zip(kinds, schemas, strict=True))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Souk events",
            "version": "0.1.0",
            "description": "CloudEvents 1.0 on the JetStream stream EVENTS, at least "
            "once and in order for each subject.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "embedded": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": "The embedded NATS; the account `events` may read.",
            }
        },
        "channels": {_name(kind): _channel(kind) for kind in kinds},
        "operations": {f"tell_{_name(kind)}": _operation(kind) for kind in kinds},
        "components": {
            "messages": {_name(kind): _message(kind, data[kind]) for kind in kinds},
            "schemas": msgspec.json.decode(msgspec.json.encode(components)),
        },
    }


def _name(kind: type[Event]) -> str:
    return f"{kind.domain}_{kind.message_name}_v{kind.type_version}"


def _channel(kind: type[Event]) -> dict[str, Any]:
    message = {"$ref": f"#/components/messages/{_name(kind)}"}
    return {"address": kind.nats_subject(), "messages": {"event": message}}


def _operation(kind: type[Event]) -> dict[str, Any]:
    channel = f"#/channels/{_name(kind)}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/event"}],
    }


def _message(kind: type[Event], data: dict[str, Any]) -> dict[str, Any]:
    envelope: dict[str, Any] = {
        "specversion": {"const": "1.0"},
        "id": TEXT | {"format": "uuid"},
        "source": {"const": f"/{kind.domain}"},
        "type": {"const": f"{kind.kind()}.v{kind.type_version}"},
        "subject": TEXT | {"description": f"The `{kind.subject}` of the data."},
        "time": TEXT | {"format": "date-time"},
        "sequence": TEXT | {"pattern": "^[1-9][0-9]*$"},
        "data": data,
    }
    return {
        "name": kind.__name__,
        "summary": summary(kind),
        "payload": {
            "type": "object",
            "required": list(envelope),
            "properties": envelope | {"traceparent": TEXT},
        },
    }
