"""The JSON of a scheduled channel: what OME takes, what it refuses with which words, and what it shows."""

from datetime import datetime
from typing import Any, cast

import msgspec

from streaming_service.devkit.ome.rest import ApiError
from streaming_service.devkit.ome.schedule import Item, Program, Schedule, StreamSpec

Json = dict[str, Any]


def parse_new(body: object) -> Schedule:
    """The body of a POST. Unknown fields are ignored, as OME does. Raises ApiError 400."""
    content = as_object(body)
    stream = content.get("stream")
    if not isinstance(stream, dict):
        raise ApiError(400, "Failed to find Stream object")
    spec = cast("Json", stream)
    name = spec.get("name")
    if not isinstance(name, str):
        raise ApiError(400, "Failed to find Stream.Name object")
    return _with_programs(
        Schedule(
            StreamSpec(
                name=name,
                bypass_transcoder=bool(spec.get("bypassTranscoder", False)),
                video_track=bool(spec.get("videoTrack", True)),
                audio_track=bool(spec.get("audioTrack", True)),
            )
        ),
        content,
    )


def parse_patch(body: object, loaded: Schedule) -> Schedule:
    """`loaded` with what the PATCH replaces whole. Raises ApiError 400."""
    content = as_object(body)
    if "stream" in content:
        raise ApiError(400, "Stream object could not be patched")
    try:
        return _with_programs(loaded, content)
    except ApiError as error:
        raise ApiError(400, "Could not patch the schedule") from error


def as_object(body: object) -> Json:
    """Raises ApiError 400 unless the body is a JSON object."""
    if not isinstance(body, dict):
        raise ApiError(400, "Invalid request body")
    return cast("Json", body)


def _with_programs(schedule: Schedule, content: Json) -> Schedule:
    programs = content.get("programs")
    fallback = content.get("fallbackProgram")
    if isinstance(programs, list):
        parsed = tuple(_program(program) for program in cast("list[object]", programs))
        schedule = msgspec.structs.replace(schedule, programs=parsed)
    if isinstance(fallback, dict):
        schedule = msgspec.structs.replace(schedule, fallback=_items(cast("Json", fallback)))
    return schedule


def _program(program: object) -> Program:
    content = as_object(program)
    scheduled = str(content.get("scheduled"))
    try:
        begins = datetime.fromisoformat(scheduled).timestamp()
    except (ValueError, OverflowError) as error:
        raise ApiError(400, "Failed to parse scheduled attribute: Invalid ISO 8601 string") from error
    name, repeat = str(content.get("name", "")), bool(content.get("repeat", False))
    return Program(name=name, scheduled=scheduled, begins=begins, repeat=repeat, items=_items(content))


def _items(program: Json) -> tuple[Item, ...]:
    items = program.get("items")
    return tuple(_item(as_object(item)) for item in cast("list[object]", items if isinstance(items, list) else []))


def _item(item: Json) -> Item:
    url, start, duration = item.get("url"), item.get("start", 0), item.get("duration", -1)
    if not isinstance(url, str) or not url.startswith(("file://", "stream://")):
        raise ApiError(400, "Failed to parse url attribute, url must be file:// or stream://")
    if not isinstance(start, int) or not isinstance(duration, int):
        raise ApiError(400, "Invalid request body")
    return Item(url, start, duration)


def show(schedule: Schedule) -> Json:
    """What GET says about the schedule, without `currentProgram`."""
    spec = schedule.stream
    shown: Json = {
        "stream": {
            "name": spec.name,
            "audioMap": None,
            "audioTrack": spec.audio_track,
            "videoTrack": spec.video_track,
            "bypassTranscoder": spec.bypass_transcoder,
            "errorToleranceDurationMs": 500,
        }
    }
    if schedule.programs is not None:
        shown["programs"] = [
            {
                "name": program.name,
                "scheduled": program.scheduled,
                "repeat": program.repeat,
                "items": [show_item(item) for item in program.items],
            }
            for program in schedule.programs
        ]
    if schedule.fallback is not None:
        shown["fallbackProgram"] = {
            "name": "fallback",
            "scheduled": "1970-01-01T00:00:00Z",
            "repeat": True,
            "items": [show_item(item) for item in schedule.fallback],
        }
    return shown


def show_item(item: Item) -> Json:
    return {"url": item.url, "start": item.start, "duration": item.duration, "forwardData": False}
