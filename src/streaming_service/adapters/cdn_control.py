"""The CDN control service: which of its routes does what."""

from streaming_service.adapters.answer import Garbage, json_object, moment_field, refused, text_field
from streaming_service.adapters.http import Caller, Request
from streaming_service.application.ports import Clock, ClusterReport
from streaming_service.errors import UpstreamRejected

SERVICE = "cdn-control"

CDN_ROUTES = {
    "cdn.purge": "/purge",
    "cdn.warmup": "/warmup",
    "cdn.failover": "/failover",
}


def cdn_control_url(base_url: str, topic: str) -> str | None:
    """Where a notification of this topic goes; None when CDN control has no such action."""
    route = CDN_ROUTES.get(topic)
    return base_url.rstrip("/") + route if route else None


class HttpClusterControl:
    """ClusterControl over HTTP: `POST {base_url}/traffic-director/validate` → `{cluster, healthy, validatedAt}`."""

    def __init__(self, caller: Caller, base_url: str, api_key: str | None, *, timeout: float, clock: Clock) -> None:
        self._caller = caller
        self._url = f"{base_url.rstrip('/')}/traffic-director/validate"
        self._headers = {"accept": "application/json", "content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._timeout = timeout
        self._clock = clock

    async def validate(self) -> ClusterReport:
        """Raises UpstreamUnavailable on no answer, 429 and 5xx, UpstreamRejected on everything else that is none."""
        request = Request("POST", self._url, self._headers, b"{}", timeout=self._timeout)
        response = await self._caller.call(request)
        if not response.ok:
            raise refused(SERVICE, response, self._clock.now())
        try:
            answer = json_object(response)
            cluster, healthy = text_field(answer, "cluster"), answer.get("healthy")
            validated_at = moment_field(answer, "validatedAt")
            if not cluster or not isinstance(healthy, bool) or validated_at is None:
                raise Garbage("cluster, healthy and validatedAt are not all there")
        except Garbage as error:
            raise UpstreamRejected(SERVICE, f"answered without sense: {error}", status=response.status) from error
        return ClusterReport(cluster, healthy, validated_at)
