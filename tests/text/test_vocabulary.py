"""A vocabulary: characters to ids and back, and its file."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import ModelError
from inference.text import vocabulary
from inference.text.vocabulary import DEFAULT, UNKNOWN, VocabularyFile


def test_the_usual_one_is_that_of_char_rnn_text_generation():
    assert len(DEFAULT) == 98 and DEFAULT[0] == "" and DEFAULT[1:4] == ("\t", "\n", " ")
    assert list(DEFAULT[1:]) == sorted(DEFAULT[1:])
    assert set(string.printable) - set(DEFAULT) == set("\x0b\x0c\r")
    assert DEFAULT.index("~") == 97 and DEFAULT.index("a") == 68


@pytest.mark.parametrize(
    ("text", "ids", "back", "unknown"),
    [
        ("", [], "", ()),
        ("ab", [68, 69], "ab", ()),
        ("é\ra é", [0, 0, 68, 3, 0], f"{UNKNOWN}{UNKNOWN}a {UNKNOWN}", ("é", "\r")),
        ("😀", [0], UNKNOWN, ("😀",)),
    ],
)
def test_characters_and_ids(text, ids, back, unknown):
    assert vocabulary.encode(text, DEFAULT) == ids
    assert vocabulary.decode(ids, DEFAULT) == back
    assert vocabulary.unknown(text, DEFAULT) == unknown


CHARACTERS = st.characters(exclude_categories=["Cs"])


@given(st.lists(CHARACTERS, min_size=1, max_size=60, unique=True), st.text(CHARACTERS))
def test_what_is_known_comes_back_and_all_else_is_unknown(known, text):
    characters = ("", *known)
    ids = vocabulary.encode(text, characters)
    assert len(ids) == len(text) and all(0 <= index < len(characters) for index in ids)
    back = vocabulary.decode(ids, characters)
    assert back == "".join(one if one in known else UNKNOWN for one in text)
    assert set(vocabulary.unknown(text, characters)) == set(text) - set(known)


@given(
    st.lists(CHARACTERS, min_size=1, max_size=60, unique=True),
    st.booleans(),
    st.none() | st.text(CHARACTERS),
)
def test_a_file_is_read_as_it_was_written(tmp_path_factory, known, is_counted, text):
    path = tmp_path_factory.mktemp("vocabulary") / "model.json"
    characters = ("", *known)
    counts = tuple(range(len(characters))) if is_counted else None
    vocabulary.write(path, VocabularyFile(characters, counts, text))
    assert vocabulary.read(path) == VocabularyFile(characters, counts, text)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({}, '"vocabulary" has to be a list'),
        ({"vocabulary": ["a", "b"]}, 'first of which is ""'),
        ({"vocabulary": [""]}, "2 to 65,536"),
        ({"vocabulary": "abc"}, '"vocabulary" has to be a list'),
        ({"vocabulary": ["", "ab"]}, "one character"),
        ({"vocabulary": ["", "a", "a"]}, "one character"),
        ({"vocabulary": ["", "a", ""]}, "one character"),
        ({"vocabulary": ["", 1]}, "one character"),
        ({"vocabulary": ["", "\ud800"]}, "one character"),
        ({"vocabulary": ["", "a"], "counts": [1]}, "2 whole numbers"),
        ({"vocabulary": ["", "a"], "counts": [1, -1]}, "2 whole numbers"),
        ({"vocabulary": ["", "a"], "counts": [1, True]}, "2 whole numbers"),
        ({"vocabulary": ["", "a"], "text": 1}, '"text" has to say'),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, problem):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=problem) as raised:
        vocabulary.read(path)
    assert str(raised.value).startswith("model.json: ") and str(tmp_path) not in str(raised.value)


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("{")
    with pytest.raises(ModelError, match=r"model\.json cannot be read"):
        vocabulary.read(path)
