"""What goes into the audit log."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from streaming_service.domain.audit import action, audited, is_ours
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause, Endpoint
from tests.unit.domain.test_history import PLACED

AT = datetime(2026, 1, 2, tzinfo=UTC)
ADMIN = Cause("admin-api", "c-1")
ALL = frozenset(Endpoint)


def test_what_somebody_did_is_owed_with_the_change() -> None:
    made = audited(change(PLACED, "purge", ADMIN, reason="CDN purge requested"), ALL)

    (entry,) = made.notifications
    assert (entry.endpoint, entry.topic, entry.content_id) == (Endpoint.AUDIT, "admin.purge", PLACED.content_id)
    assert (entry.correlation_id, entry.occurred_at) == ("c-1", PLACED.updated_at)
    assert entry.facts["actor"] == "admin-api"
    assert entry.facts["reason"] == "CDN purge requested"


def test_the_same_change_is_one_entry_and_the_next_is_another() -> None:
    def entry(channel: Channel) -> str:
        return audited(change(channel, "purge", ADMIN), ALL).notifications[0].id

    assert entry(PLACED) == entry(PLACED)
    assert entry(PLACED) != entry(replace(PLACED, version=PLACED.version + 1))


@pytest.mark.parametrize("actor", ["worker", "reconciler", "ome", "pubsub", "push", "embedded", "upload-event"])
def test_what_we_do_ourselves_is_not(actor: str) -> None:
    assert is_ours(actor)
    assert audited(change(PLACED, "placed", Cause(actor, "c-1")), ALL).notifications == ()
    assert action("drain", "origin:a", Cause(actor, "c-1"), "", AT, ALL) == ()


@pytest.mark.parametrize("actor", ["admin-api", "cli", "console:alice", "somebody new"])
def test_everybody_else_is_on_record(actor: str) -> None:
    assert len(audited(change(PLACED, "purge", Cause(actor, "c-1")), ALL).notifications) == 1
    assert len(action("drain", "origin:a", Cause(actor, "c-1"), "", AT, ALL)) == 1


def test_nothing_is_owed_where_no_log_is_kept() -> None:
    others = ALL - {Endpoint.AUDIT}

    assert audited(change(PLACED, "purge", ADMIN), others).notifications == ()
    assert action("drain", "origin:a", ADMIN, "", AT, others) == ()


def test_what_changes_no_channel_names_its_subject() -> None:
    (entry,) = action("drain", "origin:a", ADMIN, "healthy", AT, ALL)

    assert (entry.topic, entry.content_id, entry.facts["reason"]) == ("admin.drain", "origin:a", "healthy")
