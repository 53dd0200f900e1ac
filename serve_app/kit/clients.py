"""Where a request comes from, as far as it can be believed."""

from ipaddress import IPv6Address, ip_address

from starlette.requests import HTTPConnection

IPV6_PREFIX_BITS = 64


def client_of(request: HTTPConnection) -> str:
    """The network address that a request came from; of IPv6 the network's part.

    Only our own proxy, on this machine, is believed what it says of another address:
    it writes one `X-Forwarded-For` of one address in place of all that a client sent
    (`serve_app.kit.haproxy_config`); any other is not its.
    """
    peer = request.client.host if request.client else ""
    try:
        address = ip_address(peer)
        forwarded = request.headers.getlist("x-forwarded-for")
        if address.is_loopback and len(forwarded) == 1:
            address = ip_address(forwarded[0])
    except ValueError:
        return peer
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> IPV6_PREFIX_BITS << IPV6_PREFIX_BITS))
    return str(address)
