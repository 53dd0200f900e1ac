"""Where a request comes from, as far as it can be believed."""

from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import Scope

from bus.kit.outside import Proxies

IPV6_PREFIX_BITS = 64
KNOWN_MAX = 20_000
REMEMBERED_BYTES_MAX = 128
CHAIN_MAX = 32

Address = IPv4Address | IPv6Address


class Client(msgspec.Struct, frozen=True):
    """An address, of IPv6 the network's part, and a number that stands for it.

    The number is what replicas tell each other: who has no `secret` cannot find the
    address again.
    """

    address: str
    number: int


class Clients:
    """Finds the address of requests: of the peer, or as believed proxies say it.

    Our own proxy, on this machine, is believed: it writes one `X-Forwarded-For` of one
    address in place of all that a client sent, or, where proxies before it are trusted,
    adds the address that it sees (`serve_app.kit.haproxy_config`). Each proxy that is
    believed is asked who came before it, from the last one back.
    """

    def __init__(self, proxies: Proxies | None = None, secret: bytes = b"") -> None:
        self._proxies = proxies or Proxies()
        self._secret = secret
        self._known: dict[tuple[str, tuple[bytes, ...]], Client] = {}

    def of(self, scope: Scope, said: tuple[bytes, ...]) -> Client:
        """The client of a request that came with these `X-Forwarded-For`."""
        peer = scope["client"][0] if scope.get("client") else ""
        key = (peer, said)
        known = self._known.get(key)
        if known is None:
            known = self._find(peer, said)
            # A client may write as much as it likes before what a proxy adds.
            if sum(map(len, said)) <= REMEMBERED_BYTES_MAX:
                if len(self._known) >= KNOWN_MAX:
                    self._known.clear()
                self._known[key] = known
        return known

    def _find(self, peer: str, said: tuple[bytes, ...]) -> Client:
        try:
            address = self._believed(_address(peer), said)
        except ValueError:
            return self._client(peer)
        if isinstance(address, IPv6Address):
            bits = IPV6_PREFIX_BITS
            address = IPv6Address(int(address) >> bits << bits)
        return self._client(str(address))

    def _believed(self, peer: Address, said: tuple[bytes, ...]) -> Address:
        trusts = bool(self._proxies.networks or self._proxies.hops)
        if not trusts and len(said) != 1:
            return peer
        chain = b",".join(said).decode("latin-1").split(",")[-CHAIN_MAX:]
        address, hops = peer, self._proxies.hops + 1
        while chain and self._trusts(address, ours=address is peer, hops=hops):
            # Our own proxy writes one address; a list is not its own.
            if not trusts and len(chain) > 1:
                break
            try:
                address, hops = _address(chain.pop()), hops - 1
            except ValueError:
                break
        return address

    def _trusts(self, address: Address, *, ours: bool, hops: int) -> bool:
        if ours and address.is_loopback:
            return True
        if self._proxies.hops:
            return 0 < hops <= self._proxies.hops
        return any(address in network for network in self._proxies.networks)

    def _client(self, address: str) -> Client:
        digest = blake2b(address.encode(), digest_size=8, key=self._secret).digest()
        return Client(address, int.from_bytes(digest))


def client_of(request: HTTPConnection) -> str:
    """The network address that a request came from; of IPv6 the network's part."""
    found: Client | None = request.scope.get("souk.client")
    if found is None:
        said = request.headers.getlist("x-forwarded-for")
        found = _PLAIN.of(request.scope, tuple(each.encode("latin-1") for each in said))
    return found.address


def _address(text: str) -> Address:
    """The address in a header or of a peer; raises ValueError for what is none."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


_PLAIN = Clients()
