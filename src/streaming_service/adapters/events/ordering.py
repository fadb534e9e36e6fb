"""Messages of one ordering key stay in order when one of them is given back.

Google's client hands out the messages of a key one after the other, but after a nack it goes on with the next one,
although Pub/Sub delivers both again. Pure: the moments come in, in seconds of any steady clock.
"""

_MANY = 1000


class KeyOrder:
    """Remembers which message each key waits for, for at most `patience` seconds: that message may have gone to
    another worker, or away for good as a dead letter."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waits: dict[str, tuple[str, float]] = {}

    def admits(self, key: str, message_id: str, now: float) -> bool:
        """False: an earlier message of this key is to come first, so this one goes back unhandled."""
        waits_for = self._waits.get(key)
        if waits_for is None or not key:
            return True
        if waits_for[0] == message_id or now >= waits_for[1]:
            del self._waits[key]
            return True
        return False

    def given_back(self, key: str, message_id: str, now: float) -> None:
        """From now on this message comes first."""
        if not key:
            return
        if len(self._waits) >= _MANY:
            self._waits = {name: wait for name, wait in self._waits.items() if wait[1] > now}
        self._waits[key] = (message_id, now + self._patience)
