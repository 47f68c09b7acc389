"""Networks as a setting names them."""

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(listed: str) -> tuple[Network, ...]:
    """Read networks by commas, as in `10.0.0.0/8,fd00::/8`; ValueError for what is none."""
    return tuple(ipaddress.ip_network(each.strip()) for each in listed.split(",") if each.strip())
