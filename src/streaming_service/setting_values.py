"""The values of settings: how texts become what they stand for."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from pydantic import SecretStr

from streaming_service.errors import InvalidInput


def local_mounts_of(text: str) -> dict[str, Path]:
    """`gs://bucket=/folder,…` to bucket → folder. Raises ValueError with a sentence."""
    mounts: dict[str, Path] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        uri, _, folder = entry.partition("=")
        if not uri.startswith("gs://") or not folder.startswith("/"):
            raise ValueError(f"entry {entry!r} is not gs://bucket=/absolute/folder")
        mounts[uri.removeprefix("gs://").rstrip("/")] = Path(folder)
    return mounts


def valid(value: str, parse: Callable[[str], object]) -> str:
    """The text itself, when the domain can parse it. Raises ValueError with the domain's reason."""
    try:
        parse(value)
    except InvalidInput as error:
        raise ValueError(error.reason) from error
    return value


def parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """`10.0.0.0/8,::1/128` to networks, `none` to no network. Raises ValueError with a sentence."""
    entries = [part.strip() for part in text.split(",") if part.strip() not in {"", "none"}]
    try:
        return tuple(ip_network(entry) for entry in entries)
    except ValueError as error:
        raise ValueError(f"must be networks such as 10.0.0.0/8, comma separated: {error}") from error


def revealed(secret: SecretStr | None) -> str:
    """The secret itself, empty when there is none."""
    return secret.get_secret_value() if secret else ""


def each_of(secret: SecretStr | None) -> tuple[str, ...]:
    """Secrets that are separated by commas, because one is being rotated; none when there is none."""
    return tuple(item for item in map(str.strip, revealed(secret).split(",")) if item)
