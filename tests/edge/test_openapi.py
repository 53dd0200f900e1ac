"""The OpenAPI document is kept to: any request that it allows or forbids, any role."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from serve_app.app import build, routers
from tests.edge.contract import Role
from tests.edge.front import Front
from tests.edge.scene import Scene

pytestmark = pytest.mark.full

EXAMPLES_MAX = 15
"""Of each route, for each role, and each of what is allowed and what is not."""
ANSWER_SECONDS_MAX = 20.0
OPERATIONS_MIN = 80
SEED = 20261124

ROLES = (Role.NOBODY, Role.GUEST, Role.CUSTOMER, Role.SELLER, Role.ADMIN)
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
ELSEWHERE = {
    *("/orders/{order_id}/stream", "/notifications/stream"),  # they do not end
    "/health/ready",  # it asks pools and a bus, which only a whole shop has
}
REFUSED = {
    "negative_data_rejection": {
        "expected-statuses": [*range(400, 407), 409, 412, 413, 415, 422, 429, 503]
    }
}


class Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @property
    def port(self) -> int:
        return int(self.servers[0].sockets[0].getsockname()[1])


@pytest.fixture(scope="session")
async def address(front: Front) -> AsyncIterator[str]:
    """The edge on a port of this machine, for clients outside this loop."""
    app = build(front.gateway, routers())
    server = Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve())
    await server.listens.wait()
    yield f"http://127.0.0.1:{server.port}"
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
async def operations(front: Front) -> list[Any]:
    """All operations of the document but those that are tried elsewhere."""
    document = (await front.http.get("/api/openapi.json")).json()
    for methods in document["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)  # who asks, the test says
    # A version that is not the present one is a refusal, too (RFC 9110, 13.1.1).
    config = schemathesis.Config.from_dict({"checks": REFUSED})
    schema = schemathesis.openapi.from_dict(document, config=config)
    found = [each.ok() for each in schema.get_all_operations()]
    return [one for one in found if one.path not in ELSEWHERE]


@pytest.mark.parametrize("role", ROLES)
async def test_what_the_document_says_is_what_happens(
    scene: Scene, address: str, operations: list[Any], role: Role
) -> None:
    assert len(operations) >= OPERATIONS_MIN
    wrong: list[str] = []
    for operation in operations:
        names = {one.name for one in operation.path_parameters}
        known, headers = await scene.known(role, names)
        for mode in MODES:
            wrong += await asyncio.to_thread(
                _try, operation, mode, known, address, headers
            )
    assert not wrong, f"{len(wrong)} routes differ\n\n" + "\n\n".join(wrong)


def _try(
    operation: Any,
    mode: GenerationMode,
    known: dict[str, str],
    address: str,
    headers: dict[str, str],
) -> list[str]:
    """What went wrong with one route: its first example."""
    drawn = operation.as_strategy(mode)
    if known and mode is GenerationMode.POSITIVE:
        drawn |= operation.as_strategy(mode, path_parameters=known)

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES_MAX,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn)
    def ask(case: Case) -> None:
        answer = case.call(
            base_url=address, headers=headers, timeout=ANSWER_SECONDS_MAX
        )
        case.validate_response(answer, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        return []  # it takes nothing that could be wrong
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - all are listed
        words = str(error)
        return [f"{operation.label} ({mode.value}): {words}"]
    return []
