"""How far a command is, on a terminal of the usual width."""

from __future__ import annotations

import pytest

from inference.commands.progress import reporter
from tests.kit.waiting import wait_until


@pytest.mark.parametrize(
    ("unit", "total", "figures"), [("frames", 108_000, {}), ("characters", 11_154_320, {"loss": 1.2345})]
)
def test_a_bar_and_its_figures_have_room_in_eighty_columns(monkeypatch, capsys, unit, total, figures):
    name = "2024-03-05_session-12_camera-top_arena-left_mouse-42.preprocessed.mp4"
    for setting, value in {"COLUMNS": "80", "FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(setting, value)
    shown = ""

    def is_shown() -> bool:
        nonlocal shown
        report(total // 2, total, **figures)
        shown += capsys.readouterr().err
        return "/s" in shown

    with reporter("rich", name, unit) as report:
        report(0, total)
        wait_until(is_shown, 20)  # a rate takes a while
    shown += capsys.readouterr().err
    head, *_, bar = (line for line in shown.splitlines() if line.strip("\x1b[?25hl"))
    assert head == name
    for part in (
        "━━━━",
        " 50%",
        f"{total // 2:,} of {total:,} {unit}",
        "/s",
        *("loss 1.234" for _ in figures),
    ):
        assert part in bar
    assert "…" not in bar
