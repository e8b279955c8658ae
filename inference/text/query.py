"""What a request for a text asks for: its parameters, checked. Pure: no HTTP, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.errors import RequestError
from inference.messages import TextOptions
from inference.parameters import Parameter, integer, read
from inference.pieces import piece_at

DEFAULT_MODEL = "shakespeare.h5"
LENGTH = 512
LONGEST = 100_000
HOTTEST = 100.0
COLDEST = 0.01
"""Colder than that is no other text than the likeliest character each time, which `top_n=1` gives."""
_OPTIONS = TextOptions()

PARAMETERS = (
    Parameter(
        "model_name", str, "The model, as GET /get_available_models?kind=text lists it.", DEFAULT_MODEL
    ),
    Parameter("seed", str, "What the text begins with. It is not sent back.", required=True),
    Parameter("length", int, "Characters to be written behind the seed.", LENGTH, least=1, most=LONGEST),
    Parameter("top_n", int, "Drawn from so many, the likeliest; 1: no chance.", _OPTIONS.top_n, least=1),
    Parameter(
        "temperature",
        float,
        "Above 1 the unlikely become likelier, below 1 less likely.",
        _OPTIONS.temperature,
        least=COLDEST,
        most=HOTTEST,
    ),
    Parameter(
        "random_state",
        int,
        "Given, it gives the same text again, to the bit. Default: one is drawn, and start says which.",
        least=0,
    ),
    Parameter("heartbeat", float, "A comment is sent after so many silent seconds.", 10.0, least=0.1),
)
"""What a text may be asked with; the interface's description says the same."""

LAST_EVENT_ID = Parameter(
    "Last-Event-ID",
    int,
    "The id of the last message that is there already: the text goes on behind it. Needs a random_state.",
    least=0,
)


@dataclass(frozen=True)
class TextQuery:
    """A request for a text, as it was asked; `start` is the first piece wanted (see `inference.pieces`)."""

    model_name: str
    seed: str
    length: int
    options: TextOptions
    start: int
    heartbeat: float


def parse_query(
    given: Mapping[str, Sequence[str]], last_event_id: str | None, random_state: int
) -> TextQuery:
    """Check a text's parameters, each with all its values; `random_state` is taken where none is given."""
    said = read(PARAMETERS, given)
    if not said["seed"]:
        raise RequestError("seed is missing or empty: say what the text begins with.")
    exact = said["random_state"] is not None
    state = said["random_state"] if exact else random_state
    options = TextOptions(said["top_n"], said["temperature"], state, exact)
    start = 0 if last_event_id is None else _behind(last_event_id, exact)
    model_name = said["model_name"] or DEFAULT_MODEL
    return TextQuery(model_name, said["seed"], said["length"], options, start, said["heartbeat"])


def _behind(last_event_id: str, exact: bool) -> int:
    """The piece behind the one that begins with this character."""
    if not exact:
        raise RequestError(
            "random_state is missing: without it another text would be written behind Last-Event-ID. "
            "The start event said which one it was."
        )
    piece = piece_at(integer(LAST_EVENT_ID, last_event_id))
    if piece is None:
        raise RequestError(f"Last-Event-ID must be the id of a message, and {last_event_id} is none.")
    return piece + 1
