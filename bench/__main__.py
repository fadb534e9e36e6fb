"""`make bench`: print every figure; exit 0 only when all are met. `--quick` measures shorter."""

import sys

from bench import catalogue, events, failover, following, manifest, outbox, probes, reconcile, startup, uploads, wiped
from bench.figures import report
from streaming_service.errors import ConfigurationError
from streaming_service.telemetry import configure_logging


def main() -> int:
    quick = "--quick" in sys.argv[1:]
    configure_logging("error")
    try:
        figures = [
            *startup.measure(rounds=3 if quick else 7),
            *uploads.measure(200 if quick else 1000),
            *events.measure(500 if quick else 10_000),
            *outbox.measure(100 if quick else 200, 5, 10_000 if quick else 1_000_000),
            *reconcile.measure(2_000 if quick else 100_000),
            *probes.measure(5 if quick else 20),
            *failover.measure(20 if quick else 100),
            *wiped.measure(200 if quick else 1000),
            *following.measure(10 if quick else 100),
            *catalogue.measure(20_000 if quick else 1_000_000, rounds=2 if quick else 5, seconds=2 if quick else 6),
            *manifest.measure(rounds=2 if quick else 5, seconds=2 if quick else 8),
        ]
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
