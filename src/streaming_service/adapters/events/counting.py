"""What is counted of a pulling source."""

from typing import Protocol


class SourceMeter(Protocol):
    """Counts what went wrong between Pub/Sub and us."""

    def stream_reopened(self, reason: str) -> None:
        """`ended`, `silent` or `away`."""
        ...

    def answer_lost(self, answer: str) -> None:
        """Pub/Sub did not confirm an ack or nack: the message comes again."""
        ...


class Uncounted:
    """A SourceMeter that counts nothing."""

    def stream_reopened(self, reason: str) -> None: ...

    def answer_lost(self, answer: str) -> None: ...
