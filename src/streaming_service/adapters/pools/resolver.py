"""The Resolver on dnspython. Importing this module is slow: only the branch that reads pools from DNS does it."""

import asyncio

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV

from streaming_service.adapters.pools.dns import Service
from streaming_service.errors import UpstreamUnavailable


class DnsResolver:
    """Asks the system's resolvers, or `nameserver` (address and port); search domains apply. Nothing is cached here.

    `timeout` is for one question with all its tries, in seconds.
    """

    def __init__(self, nameserver: tuple[str, int] | None = None, *, timeout: float = 3.0) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=nameserver is None)
        if nameserver:
            self._resolver.port = nameserver[1]  # first: it is what the addresses below get
            self._resolver.nameservers = [nameserver[0]]
        self._timeout = timeout

    async def services(self, name: str) -> tuple[Service, ...]:
        """SRV records, the smallest priority first; empty when there are none."""
        records = [record for record in await self._ask(name, "SRV") if isinstance(record, SRV)]
        records.sort(key=lambda record: (record.priority, record.target))
        return tuple(Service(record.target.to_text(omit_final_dot=True), record.port) for record in records)

    async def addresses(self, name: str) -> tuple[str, ...]:
        """A and AAAA together; empty when there are none."""
        answers = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"))
        return tuple(record.address for answer in answers for record in answer if isinstance(record, A | AAAA))

    async def _ask(self, name: str, kind: str) -> list[object]:
        try:
            answer = await self._resolver.resolve(
                name, kind, raise_on_no_answer=False, lifetime=self._timeout, search=True
            )
        except dns.resolver.NXDOMAIN:
            return []
        except dns.exception.DNSException as error:
            raise UpstreamUnavailable("dns", f"{kind} {name} was not answered: {type(error).__name__}") from error
        return list(answer)
