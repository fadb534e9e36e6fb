"""A stand-in DNS server: answers SRV and addresses of made-up names, and fails on demand."""

import asyncio
import errno
from collections.abc import Sequence
from types import TracebackType
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

_MAX_UDP = 512
_TTL = 5
_PORT_TRIES = 20


class StandInDns:
    """Listens on a free port of 127.0.0.1, UDP and TCP. Names are without final dot; an unknown one is NXDOMAIN.

    Raises OSError when entered and the free UDP port is taken for TCP.

    failing    every question is answered SERVFAIL
    silent     no question is answered
    questions  what was asked, as `SRV _api._tcp.ome.test`; over TCP with ` tcp` behind it
    """

    def __init__(self) -> None:
        self.failing = False
        self.silent = False
        self.questions: list[str] = []
        self.port = 0
        self._records: dict[str, dict[str, tuple[str, ...]]] = {}
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where a resolver finds it, once started."""
        return ("127.0.0.1", self.port)

    def set_services(self, name: str, *targets: tuple[str, int]) -> None:
        """SRV records: target and port. None takes them away."""
        self._set(name, "SRV", [f"0 100 {port} {target}." for target, port in targets])

    def set_addresses(self, name: str, *addresses: str) -> None:
        """A and AAAA records. None takes them away."""
        self._set(name, "A", [address for address in addresses if ":" not in address])
        self._set(name, "AAAA", [address for address in addresses if ":" in address])

    def _set(self, name: str, kind: str, values: Sequence[str]) -> None:
        records = self._records.setdefault(name, {})
        records.pop(kind, None)
        if values:
            records[kind] = tuple(values)
        if not records:
            del self._records[name]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for left in reversed(range(_PORT_TRIES)):
            self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=("127.0.0.1", 0))
            self.port = self._udp.get_extra_info("sockname")[1]
            try:
                self._tcp = await asyncio.start_server(self._converse, *self.address, reuse_address=True)
            except OSError as error:
                self._udp.close()
                # A port that is free for UDP may be somebody's for TCP: the next one will be another.
                if error.errno != errno.EADDRINUSE or not left:
                    raise
            else:
                break
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._udp:
            self._udp.close()
        if self._tcp:
            self._tcp.close()
            await self._tcp.wait_closed()

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """None: nothing is said. An answer too large for UDP is truncated, as RFC 1035 has it."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), question.rdtype.name
        self.questions.append(f"{kind} {name}{' tcp' if tcp else ''}")
        if self.silent:
            return None
        response = dns.message.make_response(query)
        if self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response.to_wire()
        records = self._records.get(name)
        if records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif values := records.get(kind):
            response.answer.append(dns.rrset.from_text(question.name, _TTL, "IN", kind, *values))
        return response.to_wire() if tcp else _fitting(response)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length = int.from_bytes(await reader.readexactly(2))
            answer = self.answer(await reader.readexactly(length), tcp=True)
            if answer is not None:
                writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # whoever asked has gone
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: StandInDns) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Neither asyncio nor uvloop promises that theirs is a subclass of it.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, tcp=False)
        if answer is not None and self._transport:
            self._transport.sendto(answer, addr)


def _fitting(response: dns.message.Message) -> bytes:
    wire = response.to_wire()
    if len(wire) <= _MAX_UDP:
        return wire
    response.answer.clear()
    response.flags |= dns.flags.TC
    return response.to_wire()
