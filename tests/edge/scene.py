"""A scene for the contract: one person of each role, and things that are theirs."""

from typing import Any

from tests.edge.cast import Cast
from tests.edge.contract import Role
from tests.edge.front import Front, Person
from tests.edge.things import Things

PIECES = 500


class Scene(Cast):
    """What a request of the contract changes is made anew for it."""

    @classmethod
    async def of(cls, front: Front) -> "Scene":
        """People, and goods of the seller's."""
        people = {
            Role.NOBODY: front.guest,
            Role.CUSTOMER: await front.person(),
            Role.OTHER: await front.person(),
            Role.SELLER: await front.person("SELLER"),
            Role.FOREIGN: await front.person("SELLER"),
            Role.ADMIN: await front.person("ADMIN"),
        }
        (sku,) = await front.goods(PIECES, seller=people[Role.SELLER])
        await front.goods(PIECES, seller=people[Role.FOREIGN])
        return cls(front, people, sku)

    async def ask(self, role: Role, line: str, body: Any) -> tuple[Person, str, Any]:
        """The person of this role, the line and the body with new things in them."""
        things = Things(self, role, anew=not line.startswith("GET"))
        line = await things.fill(line)
        return things.person, line, await things.fill_all(body)

    async def known(
        self, role: Role, names: set[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Things of these names, and the headers of the person who asks for them."""
        things = Things(self, role, anew=False)
        known = {
            name: await things.fill(f"{{{name}}}")
            for name in sorted(names)
            if things.makes(name)
        }
        return known, things.person.tokens
