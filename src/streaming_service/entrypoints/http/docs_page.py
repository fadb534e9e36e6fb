"""The API description as one HTML page: no script, nothing from another host."""

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import Any

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h2{border-bottom:1px solid #d0d7de;margin-top:2.5rem}code,pre{font-family:ui-monospace,monospace;font-size:13px}
pre{background:#f6f8fa;padding:.7rem;overflow:auto;border-radius:6px}summary{cursor:pointer;padding:.35rem 0}
details details{margin-left:1rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;
border-top:1px solid #d0d7de;vertical-align:top}b.method{display:inline-block;width:4.5rem}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}}
"""
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def render_page(document: dict[str, Any]) -> str:
    """The page for an OpenAPI document."""
    return "".join(_page(document))


def _page(document: dict[str, Any]) -> Iterator[str]:
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style><h1>{title}</h1>"
    yield from (f"<p>{escape(text)}</p>" for text in info["description"].split("\n\n"))
    yield '<p>As <a href="/openapi.json">OpenAPI 3.1</a>.</p>'
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>"
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation.get("tags", ()):
                    yield from _operation(path, method, operation)
    yield "<h2>Schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{_json(schema)}</details>'
    yield "</html>"


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<details><summary><b class="method">{method.upper()}</b><code>{escape(path)}</code> '
    yield f"{escape(operation['summary'])}</summary><p>{escape(operation.get('description', ''))}</p>"
    needs = [name for scheme in operation.get("security", ()) for name in scheme]
    if needs:
        yield f"<p>Needs {escape(' or '.join(needs))}.</p>"
    rows = [_parameter(item) for item in operation.get("parameters", ()) if "name" in item]
    if rows:
        yield f"<table><tr><th>Parameter<th>In<th>What{''.join(rows)}</table>"
    for media in operation.get("requestBody", {}).get("content", {}).values():
        yield f"<details><summary>Body</summary>{_json(media)}</details>"
    for status, response in operation["responses"].items():
        yield f"<details><summary>{status} {escape(response['description'])}</summary>"
        yield f"{_json(response.get('content', {}))}</details>"
    yield "</details>"


def _parameter(item: dict[str, Any]) -> str:
    description = escape(item.get("description", ""))
    schema = escape(json.dumps(item["schema"]))
    return f"<tr><td><code>{escape(item['name'])}</code><td>{item['in']}<td>{description}<br><code>{schema}</code>"


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
