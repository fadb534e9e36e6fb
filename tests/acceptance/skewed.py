"""`streaming-service …` on a machine whose clock is wrong by CLOCK_OFF_BY seconds. For tests alone."""

import os
import time

_right = time.time
_OFF_BY = float(os.environ["CLOCK_OFF_BY"])


def _wrong() -> float:
    return _right() + _OFF_BY


# Before anything of the service is imported: parts of it take the function once and for all.
time.time = _wrong

from streaming_service.entrypoints.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
