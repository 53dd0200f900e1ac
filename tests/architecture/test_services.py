"""Every subject of the contract is answered, may be called, and is read strictly."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from actors.kit.declarations import services
from bus.kit.messages import MESSAGE_TYPES, Command
from bus.kit.services import described, messages_of, replies_of
from scripts.launcher.servers import SERVICES as MAY_BE_CALLED

CONTRACT = {
    "inventory.get-stock",
    "inventory.reserve-stock",
    "inventory.update-stock",
    "payment.process",
    "payment.add-method",
    "payment.process-refund",
    "notification.send",
    "notification.get-user",
    "notification.mark-read",
    "notification.order-created",
    "email.send",
    "email.send-template",
    "sms.send",
}


@pytest.mark.parametrize("subject", sorted(CONTRACT))
def test_a_subject_of_the_contract_is_answered(subject: str) -> None:
    assert subject in services()


def test_what_is_answered_may_be_called_and_nothing_else() -> None:
    assert set(MAY_BE_CALLED) == CONTRACT
    assert set(services()) <= CONTRACT


@pytest.mark.parametrize("subject", sorted(services()))
def test_a_form_is_strict_and_a_command_takes_a_key(subject: str) -> None:
    form: Any = services()[subject]
    messages = messages_of(form)
    assert form.__doc__
    assert form.__struct_config__.frozen
    assert form.__struct_config__.forbid_unknown_fields
    assert set(messages) <= set(MESSAGE_TYPES.values())
    assert None not in replies_of(form)
    commands = [message for message in messages if issubclass(message, Command)]
    takes_key = "idempotency_key" in form.__struct_fields__
    assert takes_key is bool(commands)
    assert commands in ([], list(messages))
    if takes_key:
        schema = msgspec.json.schema(form)["$defs"][form.__name__]
        field = schema["properties"]["idempotency_key"]
        texts = [one for one in field.get("anyOf", [field]) if one["type"] == "string"]
        assert [(one["minLength"], one["maxLength"]) for one in texts] == [(16, 64)]


@pytest.mark.parametrize("subject", sorted(services()))
def test_a_form_is_described_to_who_asks(subject: str) -> None:
    said = described(services()[subject])
    assert set(said) == {"request", "reply"}
    for text in said.values():
        schema = json.loads(text)
        Draft202012Validator.check_schema(schema)
        assert schema["$defs"]
