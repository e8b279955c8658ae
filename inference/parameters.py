"""What a request may be asked with: one parameter each, its range, and how its text is read. Pure.

Raises RequestError, which names the parameter and says what it may be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.errors import RequestError

LARGEST = 10**15 - 1
"""No frame, size or count is larger."""
_INTEGER = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_NUMBER = re.compile(r"[-+]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][-+]?[0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Parameter:
    """One thing that may be asked for: what it may be, and in words what it is.

    `kind` is str, int or float. `least` and `most` bound a number; `choices` or `pattern` a text; `times`
    is how often it may be given. `default` None: what `about` says.
    """

    name: str
    kind: type
    about: str
    default: str | int | float | None = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    times: int = 1
    required: bool = False

    @property
    def greatest(self) -> float | None:
        """The most that it may be: no whole number is larger than `LARGEST`."""
        return LARGEST if self.most is None and self.kind is int else self.most


def read(parameters: Sequence[Parameter], given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What is said of each parameter, by its name: its value, or a tuple of values where there may be."""
    return {each.name: _value(each, given.get(each.name, ())) for each in parameters}


def _value(parameter: Parameter, values: Sequence[str]) -> Any:
    """What is said of a parameter: its value, or a tuple of them where it may be given more than once."""
    if parameter.times > 1:
        return _names(parameter, values)
    if len(values) > 1:
        raise RequestError(f"{parameter.name} may be given once.")
    if not values:
        return parameter.default
    read = {int: integer, float: _number, str: _text}[parameter.kind]
    return read(parameter, values[0])


def _names(parameter: Parameter, values: Sequence[str]) -> tuple[str, ...]:
    names = tuple(value for value in values if value)
    if len(names) > parameter.times or len(set(names)) < len(names):
        raise RequestError(
            f"{parameter.name} may be given once, or twice for a centroid and a centred-instance model."
        )
    return names


def _text(parameter: Parameter, text: str) -> str:
    if parameter.choices and text not in parameter.choices:
        raise RequestError(
            f"{parameter.name} must be one of {', '.join(parameter.choices)}, not {_shown(text)}."
        )
    if parameter.pattern and not parameter.pattern.fullmatch(text):
        raise RequestError(f"{parameter.name} must be 8 to 64 of A-Z, a-z, 0-9 and -, not {_shown(text)}.")
    return text


def integer(parameter: Parameter, text: str) -> int:
    """A whole number that a parameter may be."""
    if not _INTEGER.fullmatch(text) or not _within(parameter, int(text)):
        raise RequestError(f"{parameter.name} must be a whole number{_range(parameter)}, not {_shown(text)}.")
    return int(text)


def _number(parameter: Parameter, text: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value) or not _within(parameter, value):
        raise RequestError(f"{parameter.name} must be a number{_range(parameter)}, not {_shown(text)}.")
    return value


def _within(parameter: Parameter, value: float) -> bool:
    return (parameter.least is None or value >= parameter.least) and (
        parameter.greatest is None or value <= parameter.greatest
    )


def _range(parameter: Parameter) -> str:
    least = "" if parameter.least is None else f" from {parameter.least}"
    return least if parameter.greatest is None else f"{least} to {parameter.greatest}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
