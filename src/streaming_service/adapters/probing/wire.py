"""How the service and its agents speak: a journey is posted, a finding comes back, both signed.

The answer bears the question's id, so that an answer of yesterday is none, and its region, so that an address that
leads to another agent is noticed.
"""

from msgspec import Struct

from streaming_service.domain.probe_journey import Finding

PATH = "/probe"
LARGEST_ANSWER = 64 * 1024


class Answer(Struct, frozen=True):
    """What an agent found, and where it is."""

    region: str
    finding: Finding
