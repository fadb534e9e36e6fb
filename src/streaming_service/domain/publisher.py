"""Whoever pushes to a live content, as OME told us. It tells late, twice or never: a hint for people, no more."""

from datetime import datetime

from msgspec import Struct


class Publisher(Struct, frozen=True, omit_defaults=True):
    """One connection of an encoder. `until`: OME cuts it off then, because its key is no longer good."""

    address: str
    port: int
    protocol: str
    since: datetime
    until: datetime | None = None

    def there(self, now: datetime) -> bool:
        """As far as we know."""
        return self.until is None or now < self.until
