"""A probe gets through under every scheme, and not with a grant that is not good."""

import time

import pytest

from streaming_service.devkit.edge import StandInEdge
from streaming_service.devkit.edge_forms import form_of
from streaming_service.domain.probe import ProbeVerdict, Target
from streaming_service.domain.probe_journey import signed_journey
from tests.contract.probing.conftest import LADDER, PATH, Stage
from tests.signing import FORMS, signer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("form", FORMS)]


@pytest.mark.parametrize(("expires", "verdict"), [(300, ProbeVerdict.OK), (-300, ProbeVerdict.SIGNATURE_REJECTED)])
async def test_the_grant_leads_to_media(stage: Stage, form: str, expires: int, verdict: ProbeVerdict) -> None:
    subject = signer(form)
    edge = StandInEdge(stage.middleman.url, subject.verify, form=form_of(FORMS[form][0], subject))
    async with edge:
        grant = subject.sign(edge.url + PATH, int(time.time()) + expires)
        journey = signed_journey(grant, "master.m3u8", Target.PRIMARY, LADDER.rungs, 2.0, patient=True)
        assert (await stage.prober.follow(journey)).verdict is verdict
