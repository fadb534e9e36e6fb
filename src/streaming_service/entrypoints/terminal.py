"""What commands have in common."""

import sys

import msgspec

from streaming_service.context import new_correlation_id
from streaming_service.domain.notification import Cause


def say(line: str) -> None:
    """A line on standard output, which is for answers alone."""
    sys.stdout.write(f"{line.rstrip()}\n")
    sys.stdout.flush()


def document(value: object) -> str:
    """JSON for people and scripts."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def cause() -> Cause:
    """Whoever typed the command."""
    return Cause("cli", new_correlation_id())
