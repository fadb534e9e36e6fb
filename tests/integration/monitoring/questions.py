"""What a piece of PromQL asks for: which series, and which labels of them.

Not a parser: Prometheus's own tool says whether it is PromQL at all. It knows the four things that this repository's
questions consist of: names, selectors, groupings, and what Grafana puts in.
"""

import re
from collections.abc import Iterator, Mapping, Set
from typing import NamedTuple

# What Prometheus itself adds to each series.
FROM_SCRAPE = frozenset({"instance", "job"})

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"\b((?:streaming|process|python)[a-z0-9_]*(?::[a-z0-9_:]+)?)\s*(\{[^}]*\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")


class Asked(NamedTuple):
    """`series` with the labels that they are selected by; `grouped`: the labels that answers are grouped by."""

    series: tuple[tuple[str, frozenset[str]], ...]
    grouped: frozenset[str]


def asked(question: str) -> Asked:
    """Take it apart."""
    bare = _STRING.sub('""', question)
    grouped = frozenset(name.strip() for found in _GROUPING.findall(bare) for name in found.split(",") if name.strip())
    ungrouped = _GROUPING.sub(" ", bare)
    series = tuple((name, frozenset(_MATCHER.findall(braces or ""))) for name, braces in _SELECTOR.findall(ungrouped))
    return Asked(series, grouped)


def complaints(question: str, known: Mapping[str, frozenset[str]], recorded: Set[str]) -> Iterator[str]:
    """A sentence for everything that it asks for and that does not exist."""
    found = asked(question)
    if not found.series:
        yield "asks for nothing of ours"
    carried = set(FROM_SCRAPE)
    for name, labels in found.series:
        if name in recorded:
            continue
        if name not in known:
            yield f"{name} does not exist"
            continue
        carried |= known[name]
        for label in sorted(labels - known[name] - FROM_SCRAPE):
            yield f"{name} has no label {label}"
    for label in sorted(found.grouped - carried):
        yield f"nothing of it has a label {label}"


def for_prometheus(question: str) -> str:
    """As Grafana sends it: its variables are filled in."""
    return question.replace("$__rate_interval", "1m")
