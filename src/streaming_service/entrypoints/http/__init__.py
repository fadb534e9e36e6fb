"""The HTTP API on one port.

server.py        a Granian worker inside our own event loop
  dispatcher.py    requests from Granian's thread into the loop; a manifest request needs no task
rsgi.py          the door: the manifest route, or a thin bridge (body.py) to the Litestar application
  manifest.py      the hot route by hand; manifest_query.py, refusals.py
  app.py           the other routes: streams, dead_letters, deliveries, internal, health, metrics
    auth.py          service tokens
    parameters.py    what several routes are asked alike; bodies.py
    failures.py      every exception → problems.py, RFC 9457
    views.py         channels on the wire
openapi.py       the description of all of it (described, manifest_described, body_schemas, examples), docs_page.py
"""
