"""Inputs that botocore's models of ECR and ECR Public allow and forbid, and what it says of answers."""

from __future__ import annotations

import base64
import copy
import re
import time
from typing import Any, Iterator

import botocore.session
from botocore.model import OperationModel, Shape

MODEL = botocore.session.get_session().get_service_model("ecr")
PUBLIC_MODEL = botocore.session.get_session().get_service_model("ecr-public")

# What AWS lists once for all services (and the endpoint's own refusals), not per operation.
COMMON_ERRORS = {"AccessDeniedException", "SerializationException", "ThrottlingException", "ValidationException"}

# Of each type of the model, JSON values of other types.
WRONG_TYPES: dict[str, list[Any]] = {
    "string": [1, True, ["x"], {"x": "y"}],
    "blob": [1, True, ["x"], {"x": "y"}],
    "integer": ["x", ["x"], {"x": "y"}],
    "long": ["x", ["x"], {"x": "y"}],
    "boolean": ["x", ["x"], {"x": "y"}],
    "list": ["x", 1, {"x": "y"}],
    "structure": ["x", 1, ["x"]],
}

# Tried in order until one does not match a pattern.
PATTERN_BREAKERS = ["!!", "?" * 20, "UPPER CASE!" * 5, "\n\n"]


def base_type(shape: Shape) -> str:
    """The JSON type of a shape, where the model has no values for it."""
    return str(shape.type_name)


def enum_of(shape: Shape) -> list[str]:
    """The values of an enumeration; empty for other strings."""
    return list(getattr(shape, "enum", None) or [])


def breakers(shape: Shape, value: Any) -> Iterator[tuple[str, Any]]:
    """Values that break one constraint of the shape, deepest last."""
    limits = shape.metadata
    least, most, pattern = limits.get("min"), limits.get("max"), limits.get("pattern")
    kind = base_type(shape)
    if kind == "string":
        if enum_of(shape):
            yield "enum", "NOT_A_MEMBER"
            return
        if least:
            yield "min", value[: least - 1]
        if most:
            yield "max", (value or "a") + "a" * (most + 1 - len(value))
        if pattern:
            wrong = (text for text in PATTERN_BREAKERS if not re.fullmatch(pattern, text))
            for text in wrong:
                if (least or 0) <= len(text) <= (most or len(text)):
                    yield "pattern", text
                    break
    elif kind in ("integer", "long"):
        if least is not None:
            yield "min", least - 1
        if most is not None:
            yield "max", most + 1
    elif kind == "blob":
        if most:
            yield "max", base64.b64encode(bytes(most + 1)).decode()
    elif kind == "list":
        if least:
            yield "min", value[: least - 1]
        if most:
            yield "max", [value[0]] * (most + 1)
        for name, wrong in breakers(shape.member, value[0]):  # type: ignore[attr-defined]
            yield f"[0] {name}", [wrong, *value[1:]]
    elif kind == "structure":
        yield from broken_members(shape, value)


def broken_members(shape: Shape, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """As `breakers`, of the members of a structure."""
    for name in shape.required_members:  # type: ignore[attr-defined]
        yield f"{name} required", {other: value[other] for other in value if other != name}
    for name, member in shape.members.items():  # type: ignore[attr-defined]
        if name in value:
            for what, wrong in breakers(member, value[name]):
                yield f"{name} {what}", {**value, name: wrong}


def mistyped(shape: Shape, value: Any) -> Iterator[tuple[str, Any]]:
    """Values in which one JSON type is not the model's."""
    kind = base_type(shape)
    for wrong in WRONG_TYPES[kind]:
        yield f"is {wrong!r}", wrong
    if kind == "list":
        for name, wrong in mistyped(shape.member, value[0]):  # type: ignore[attr-defined]
            yield f"[0] {name}", [wrong, *value[1:]]
    elif kind == "structure":
        yield from mistyped_members(shape, value)


def mistyped_members(shape: Shape, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """As `mistyped`, of the members of a structure."""
    for name, member in shape.members.items():  # type: ignore[attr-defined]
        if name in value:
            for what, wrong in mistyped(member, value[name]):
                yield f"{name} {what}", {**value, name: wrong}


def faults(shape: Shape, value: Any, path: str = "answer") -> Iterator[str]:
    """Where an answer is not what the model says."""
    kind = base_type(shape)
    if kind == "structure":
        if not isinstance(value, dict):
            yield f"{path} is {value!r}, not a structure"
            return
        members = shape.members  # type: ignore[attr-defined]
        for name in shape.required_members:  # type: ignore[attr-defined]
            if name not in value:
                yield f"{path}.{name} is required"
        for name, member in value.items():
            if name not in members:
                yield f"{path}.{name} is not of the model"
            else:
                yield from faults(members[name], member, f"{path}.{name}")
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{path} is {value!r}, not a list"
            return
        for index, item in enumerate(value):
            yield from faults(shape.member, item, f"{path}[{index}]")  # type: ignore[attr-defined]
    elif kind == "map":
        if not isinstance(value, dict):
            yield f"{path} is {value!r}, not a map"
            return
        for name, item in value.items():
            yield from faults(shape.value, item, f"{path}[{name}]")  # type: ignore[attr-defined]
    elif kind == "string":
        if not isinstance(value, str):
            yield f"{path} is {value!r}, not a string"
        elif enum_of(shape) and value not in enum_of(shape):
            yield f"{path} is {value!r}, not one of {enum_of(shape)}"
    elif kind == "blob":
        base64.b64decode(value, validate=True)
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{path} is {value!r}, not a boolean"
    elif kind == "timestamp":
        # JSON 1.1 has seconds since the epoch; milliseconds would be thousands of years away.
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= time.time() + 2 * 86400:
            yield f"{path} is {value!r}, not a time in seconds"
    elif kind in ("integer", "long"):
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{path} is {value!r}, not an integer"
    elif kind in ("float", "double"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{path} is {value!r}, not a number"
    else:
        raise AssertionError(f"a type of the model that this harness does not know: {kind}")


def error_faults(operation: OperationModel, document: dict[str, Any]) -> Iterator[str]:
    """Where an error is not one that the model lists for the operation."""
    code = str(document.get("__type", "")).rpartition("#")[2]
    shapes = {shape.name: shape for shape in operation.error_shapes}
    if code not in shapes:
        if code not in COMMON_ERRORS:
            yield f"{code} is not an error of {operation.name}"
        return
    body = {name: value for name, value in copy.copy(document).items() if name != "__type"}
    yield from faults(shapes[code], body, code)
