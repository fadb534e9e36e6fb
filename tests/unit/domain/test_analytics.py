"""What analytics is promised, and that it is what is sent."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from streaming_service.domain.analytics import PAYLOADS, check_envelope, schema_of
from streaming_service.errors import InvalidInput
from tests.analytics import FOLDER, day, generated

# Section 3 of the interfaces: other teams rely on these.
LISTED = {
    "stream.provisioned",
    "stream.provisioning.failed",
    "stream.retired",
    "stream.ingest.rotated",
    "stream.ingest.failure",
    "stream.manifest.latency",
    "stream.probe.results",
    "stream.probe.failure",
    "cdn.purge",
    "cdn.warmup",
    "cdn.failover",
    "cdn.multi_cluster",
    "ome.realtime.stats",
    "ome.alert",
}
DAY = day()


def test_every_listed_event_has_a_schema_and_is_made_by_the_service() -> None:
    assert set(PAYLOADS) == LISTED
    assert {envelope["event"] for envelope in DAY} == LISTED


@pytest.mark.parametrize("envelope", DAY, ids=lambda envelope: f"{envelope['event']}-{envelope['id'][:8]}")
def test_what_is_sent_is_what_its_schema_says_and_nothing_else(envelope: dict[str, Any]) -> None:
    checked = check_envelope(envelope)
    assert (checked.id, checked.event) == (envelope["id"], envelope["event"])
    schema = json.loads((FOLDER / "schemas" / f"{envelope['event']}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(envelope, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("event", sorted(LISTED))
def test_what_breaks_the_promise_is_refused_by_the_type_and_by_the_schema(event: str) -> None:
    good = next(envelope for envelope in DAY if envelope["event"] == event)
    schema = schema_of(event)
    for name in sorted(PAYLOADS[event].__struct_encode_fields__):
        if name not in schema["$defs"][PAYLOADS[event].__name__]["required"]:
            continue
        payload = {key: value for key, value in good["payload"].items() if key != name}
        for broken in (payload, payload | {name: {"no": "such type"}}):
            if name == "results" and isinstance(good["payload"][name], dict) and name in broken:
                continue  # any text may be a result's name
            envelope = good | {"payload": broken}
            with pytest.raises(InvalidInput):
                check_envelope(envelope)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(envelope, schema, jsonschema.Draft202012Validator)
    with pytest.raises(InvalidInput, match="unknown field"):
        check_envelope(good | {"payload": good["payload"] | {"unannounced": 1}})


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "n-1"},
        {"emittedAt": "2026-11-22T12:00:00Z"},
        {"event": "stream.unheard.of"},
        {"more": 1},
        {"payload": []},
    ],
)
def test_an_envelope_is_of_one_shape(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        check_envelope(DAY[0] | changes)


def test_readers_bear_what_a_later_release_adds() -> None:
    for envelope in DAY:
        later = envelope | {"payload": envelope["payload"] | {"addedLater": True}}
        jsonschema.validate(later, schema_of(envelope["event"]), jsonschema.Draft202012Validator)


def test_what_is_published_is_what_the_code_says() -> None:
    for path, text in generated().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `python -m tests.analytics`"
    published = {path.stem for path in (FOLDER / "schemas").glob("*.json")}
    assert published == LISTED


def test_the_example_is_made_of_one_envelope_a_line() -> None:
    lines = (FOLDER / "example.ndjson").read_text().splitlines()
    assert [msgspec.json.decode(line) for line in lines] == DAY
    assert len({envelope["id"] for envelope in DAY}) == len(DAY)
