"""Recorded runs over HTTP: what a stream leaves behind, however it ends, and what can be had of it."""

from __future__ import annotations

import csv
import io
import json
import time

import h5py
import httpx
import pytest

from inference.journal import read
from inference.messages import EndRecord
from inference.records import encode
from tests.kit.recordings import recording, write_journal
from tests.kit.waiting import wait_until
from tests.server.test_stream import open_stream

QUERY = {"video_name": "a.avi", "model_name": "m.number"}


def runs(site, run_id=None):
    listed = httpx.get(f"{site.address}runs").json()
    return [run for run in listed if run_id in (None, run["run_id"])]


def export(site, run_id, form, **options):
    return httpx.get(f"{site.address}runs/{run_id}/export", params={"format": form}, timeout=60, **options)


def test_a_stream_is_recorded_under_the_name_it_was_given(site):
    events = site.stream(**QUERY, run_id="whole-run-1")
    assert events[-1][2] == {"frames": 100}
    start = next(data for name, _, data in events if name == "start")
    assert start["run_id"] == "whole-run-1" and start["recorded"] is True
    (run,) = runs(site, "whole-run-1")
    assert {key: value for key, value in run.items() if key not in ("run_id", "created", "bytes")} == {
        "video_name": "a.avi", "model_name": "m.number", "frames": 100, "failed": 0, "first": 0, "last": 99,
        "active": False,
    }  # fmt: skip
    assert abs(run["created"] - time.time()) < 120 and run["bytes"] > 1000


def test_a_run_goes_on_after_a_cut_and_its_export_is_that_of_a_whole_one(site):
    site.stream(**QUERY, run_id="undisturbed-1")
    site.stream(**QUERY, run_id="cut-off-run-1", stop=40)
    site.stream(**QUERY, run_id="cut-off-run-1", last_event_id=29)  # some frames come twice
    whole, cut = (export(site, run, "csv") for run in ("undisturbed-1", "cut-off-run-1"))
    assert whole.status_code == cut.status_code == 200
    assert cut.text == whole.text
    rows = list(csv.DictReader(io.StringIO(cut.text)))
    assert [float(row["number.x"]) for row in rows] == list(range(100))
    assert (
        "attachment" in cut.headers["content-disposition"]
        and "a.cut-off-" in cut.headers["content-disposition"]
    )


def test_what_a_viewer_that_left_has_seen_is_recorded(site):
    viewer = open_stream(site, video_name="long.mp4", model_name="m.number", run_id="left-early-1")
    wait_until(lambda: runs(site, "left-early-1") and runs(site, "left-early-1")[0]["frames"] >= 20, 20)
    assert runs(site, "left-early-1")[0]["active"]
    response = httpx.delete(f"{site.address}runs/left-early-1")
    assert response.status_code == 409 and "stop it first" in response.json()["error"]
    viewer.close()
    wait_until(lambda: not runs(site, "left-early-1")[0]["active"], 10)
    held = read(site.folder / "runs" / "left-early-1.journal")
    assert sorted(held.frames) == list(range(len(held.frames)))


def test_failed_frames_are_recorded_as_failed(site):
    site.stream(video_name="a.avi", model_name="bad.fails_in_predict", run_id="with-failure-1", stop=10)
    (run,) = runs(site, "with-failure-1")
    assert (run["frames"], run["failed"]) == (9, 1)
    said = json.loads(export(site, "with-failure-1", "json").text)
    assert said["frames"]["decoded"] == 10 and list(said["frames"]["failures"]) == ["5"]
    assert (
        len(said["video"]["sha256"]) == 64 and len(said["models"][0]["sha256"]["bad.fails_in_predict"]) == 64
    )
    assert said["settings"]["peak_threshold"] == 0.2 and said["versions"]["python"]


def test_a_name_that_is_taken_by_another_run_is_refused_before_the_stream(site):
    site.stream(**QUERY, run_id="taken-run-1", stop=1)
    response = httpx.get(
        f"{site.address}generate_predictions", params={**QUERY, "run_id": "taken-run-1", "threshold": 0.5}
    )
    assert response.status_code == 409
    assert "recorded with other settings" in response.json()["error"]
    # maps and weaker peaks make no other run
    assert site.stream(**QUERY, run_id="taken-run-1", floor=0.1, maps="confmaps", stop=1)[-1][0] == "done"


@pytest.mark.parametrize("form", ["slp", "h5", "nwb", "mp4", "csv", "json"])
def test_every_format_can_be_had(site, form):
    if not runs(site, "every-format-1"):
        site.stream(**QUERY, run_id="every-format-1", stop=20)
    response = export(site, "every-format-1", form)
    assert response.status_code == 200, response.text
    start = {"mp4": b"ftyp", "csv": b"track", "json": b"{"}.get(form, b"HDF")
    assert start in response.content[:16]


def test_what_there_is_not(site):
    assert export(site, "no-such-run", "csv").status_code == 404
    assert export(site, "..%2F..%2Fetc", "csv").status_code == 404
    site.stream(**QUERY, run_id="wrong-form-1", stop=1)
    response = export(site, "wrong-form-1", "xlsx")
    assert response.status_code == 400 and "csv, slp, h5, nwb, mp4" in response.json()["error"]
    assert httpx.get(f"{site.address}runs/wrong-form-1/export/progress", params={"format": "csv"}).json() == {
        "share": None
    }


def test_a_run_can_be_deleted(site):
    site.stream(**QUERY, run_id="to-delete-1", stop=1)
    assert httpx.delete(f"{site.address}runs/to-delete-1").status_code == 204
    assert runs(site, "to-delete-1") == []
    assert httpx.delete(f"{site.address}runs/to-delete-1").status_code == 404


def test_a_stream_begun_behind_the_videos_end_changes_no_export(site):
    site.stream(**QUERY, run_id="behind-end-1")
    for start in (5000, 900_000_000_000):
        assert site.stream(**QUERY, run_id="behind-end-1", start=start)[-1][2] == {"frames": 0}
    assert site.stream(**QUERY, run_id="behind-end-1", last_event_id=7000)[-1][2] == {"frames": 0}
    # as earlier versions wrote them down
    with (site.folder / "runs" / "behind-end-1.journal").open("ab") as file:
        file.write(encode(EndRecord(5000)))
    with h5py.File(io.BytesIO(export(site, "behind-end-1", "h5").content)) as file:
        assert file["tracks"].shape[-1] == 100


def test_what_a_writer_did_not_mean_for_users_is_in_the_log_alone(site, caplog):
    # no date is that late: that nobody thought of
    write_journal(site.folder / "runs" / "uncaught-1.journal", recording(run="uncaught-1", created=1e20))
    response = export(site, "uncaught-1", "csv")
    assert response.status_code == 409
    assert response.json() == {"error": "The csv file could not be written; the log says why."}
    assert "Traceback" in caplog.text and "Error: " in caplog.text


def test_what_a_writer_says_to_users_is_said(site):
    (site.folder / "runs" / "damaged-run-1.journal").write_bytes(b"no journal")
    response = export(site, "damaged-run-1", "csv")
    assert response.status_code == 409
    assert response.json()["error"].startswith("The recording damaged-run-1 is empty or damaged: ")
    write_journal(site.folder / "runs" / "moved-video-1.journal", recording(run="moved-video-1"))
    assert "is not where it was any more" in export(site, "moved-video-1", "mp4").json()["error"]


def test_an_export_ends_when_nobody_waits_for_it(site):
    import psutil

    site.stream(video_name="long.mp4", model_name="m.number", run_id="long-export-1")

    def writes(process) -> bool:
        try:
            return "export" in process.cmdline()
        except psutil.Error:  # it has just ended
            return False

    def writers():
        return [process for process in psutil.Process().children(recursive=True) if writes(process)]

    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{site.address}runs/long-export-1/export", params={"format": "mp4"}, timeout=0.3)
    progress = f"{site.address}runs/long-export-1/export/progress"
    wait_until(lambda: not writers(), 10)
    wait_until(lambda: httpx.get(progress, params={"format": "mp4"}).json() == {"share": None}, 10)
