"""Events to JSON and back: the form in which they lie in a journal and cross a socket.

The rule: pure. What is not known here, by its kind or its shape, becomes Unknown and is kept.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from console.events import Event, Unknown

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in typing.get_args(Event) if kind is not Unknown
}


def to_json(event: Event) -> dict[str, Any]:
    """The event as a flat object: "event" names its kind, then its fields."""
    if isinstance(event, Unknown):
        return {"event": event.kind, **event.fields}
    return {"event": type(event).__name__, **dataclasses.asdict(event)}


def from_json(fields: typing.Mapping[str, Any]) -> Event:
    """The event back from its object; a kind or a shape not known here becomes Unknown."""
    rest = {name: value for name, value in fields.items() if name != "event"}
    name = str(fields.get("event", ""))
    kind = KINDS.get(name)
    if kind is None:
        return Unknown(name, rest)
    try:
        return typing.cast(Event, _build(kind, rest))
    except (KeyError, TypeError, ValueError, OverflowError):
        return Unknown(name, rest)


def _build(kind: type[Any], fields: typing.Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    known = {
        field.name: _value(hints[field.name], fields[field.name])
        for field in dataclasses.fields(kind)
        if field.name in fields
    }
    return kind(**known)


def _value(hint: Any, value: Any) -> Any:
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{hint} expected")
        return tuple(_value(typing.get_args(hint)[0], item) for item in value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value)
    if isinstance(hint, types.UnionType) or not isinstance(hint, type):
        return value
    if hint is float and type(value) is int:
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise TypeError(f"{hint} expected")
    return value
