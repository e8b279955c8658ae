"""A text's pieces: all of it, nothing twice, and each where everybody expects it."""

from hypothesis import given
from hypothesis import strategies as st

from inference.pieces import LONGEST, count_of, piece_at, pieces_of, start_of


def test_the_first_pieces_are_small():
    assert [count_of(piece, 200) for piece in range(10)] == [1, 1, 2, 4, 8, 16, 32, 64, 64, 8]
    assert [start_of(piece) for piece in range(10)] == [0, 1, 2, 4, 8, 16, 32, 64, 128, 192]


@given(st.integers(1, 100_000))
def test_the_pieces_make_the_whole_text(length):
    counts = [count_of(piece, length) for piece in range(pieces_of(length))]
    assert sum(counts) == length and min(counts) >= 1 and max(counts) <= LONGEST
    assert count_of(len(counts), length) == 0


@given(st.integers(0, 100_000))
def test_only_where_a_piece_begins_one_is_found(index):
    piece = piece_at(index)
    if piece is not None:
        assert start_of(piece) == index
    else:
        assert all(start_of(other) != index for other in range(pieces_of(index + 1) + 1))
