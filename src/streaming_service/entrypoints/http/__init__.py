"""The HTTP API on one port.

server.py        a port in our own event loop; hub.py, what its connections share
  connection.py    bytes to requests by llhttp, answers in order; target.py, exchange.py, body.py, wire.py
  plain.py         plain manifest requests, read without a parser
door.py          every request's way in: correlation id, safe headers, problems
  manifest.py      the hot route by hand; manifest_query.py, refusals.py
  app.py           the other routes: streams, dead_letters, deliveries, internal, health, metrics
    auth.py          service tokens
    parameters.py    what several routes are asked alike; bodies.py
    failures.py      every exception → problems.py, RFC 9457
    views.py         channels on the wire
openapi.py       the description of all of it (described, manifest_described, body_schemas, examples), docs_page.py
"""
