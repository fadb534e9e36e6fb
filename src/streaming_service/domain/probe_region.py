"""Where probes look from: the entries of `CDN_PROBE_REGIONS`."""

import re

from msgspec import Struct

from streaming_service.domain.probe import Target
from streaming_service.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_AGENT = "agent:"
_BASE = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/?")
_MOST = 32  # each is a label of a metric


class Region(Struct, frozen=True):
    """A name, and how to get there: `edges` are addresses of the CDN in that region by target, `agent` is the URL of
    somebody there who looks for us. With neither it is looked at from where the service runs."""

    name: str
    edges: tuple[tuple[Target, str], ...] = ()
    agent: str | None = None

    @property
    def is_here(self) -> bool:
        return not self.edges and self.agent is None

    def edge(self, target: Target) -> str | None:
        """Where that target's CDN is reached in this region; None: at its own address."""
        return next((url for item, url in self.edges if item is target), None)


def parse_regions(text: str, field: str = "CDN_PROBE_REGIONS") -> tuple[Region, ...]:
    """`iad,sfo=https://edge-sfo.example,ams=agent:https://probe-ams.example` to regions, in that order.

    `sfo=https://edge|https://other` names an edge of the failover's CDN, too. Raises InvalidInput with what is wrong.
    """
    entries = [part.strip() for part in text.split(",") if part.strip()]
    regions = tuple(_region(entry, field) for entry in entries)
    if len({region.name for region in regions}) != len(regions):
        raise InvalidInput(field, "names a region twice")
    if len(regions) > _MOST:
        raise InvalidInput(field, f"names more than {_MOST} regions")
    return regions


def _region(entry: str, field: str) -> Region:
    name, _, way = (part.strip() for part in entry.partition("="))
    if not _NAME.fullmatch(name):
        raise InvalidInput(field, f"{name!r} is no name of a region: letters, digits, - and _, up to 32")
    if "=" not in entry:
        return Region(name)
    if way.startswith(_AGENT):
        return Region(name, agent=_base(way.removeprefix(_AGENT), entry, field))
    addresses = [_base(address.strip(), entry, field) for address in way.split("|")]
    if len(addresses) > len(Target):
        raise InvalidInput(field, f"entry {entry!r} has more than an edge of the primary and one of the failover")
    return Region(name, edges=tuple(zip(Target, addresses, strict=False)))


def _base(text: str, entry: str, field: str) -> str:
    if not _BASE.fullmatch(text):
        raise InvalidInput(field, f"entry {entry!r} is not name, name=https://edge or name=agent:https://agent")
    return text.rstrip("/")
