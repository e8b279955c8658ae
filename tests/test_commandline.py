"""The command line: old and new spellings, defaults, and one sentence for what makes no sense."""

from pathlib import Path

import pytest

from inference.commandline import parse
from inference.settings import HERE, default_servers


def test_everything_has_a_default_that_does_not_depend_on_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = parse([])
    assert (settings.host, settings.port, settings.n_servers) == ("127.0.0.1", 5000, default_servers())
    assert (settings.producer_send_port, settings.consumer_send_port) == (None, None)
    assert (settings.data, settings.models) == (HERE / "data", HERE / "models")


def test_engine_precision_and_cache(tmp_path):
    settings = parse([])
    assert (settings.engine, settings.precision, settings.cache) == ("auto", "exact", HERE / "cache")
    wanted = ["--engine", "openvino", "--precision", "fast", "--cache", str(tmp_path / "made")]
    settings = parse(wanted)
    assert (settings.engine, settings.precision, settings.cache) == ("openvino", "fast", tmp_path / "made")


@pytest.mark.parametrize("dash", ["-", "--"])
@pytest.mark.parametrize("joint", ["_", "-"])
def test_the_three_names_in_every_spelling(dash, joint):
    flags = {"consumer_send_port": 5558, "producer_send_port": 5557, "n_servers": 2}
    arguments = [
        part for name, value in flags.items() for part in (dash + name.replace("_", joint), str(value))
    ]
    settings = parse(arguments)
    assert {name: getattr(settings, name) for name in flags} == flags


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--port", "70000"], "--port"),
        (["-n_servers", "0"], "-n_servers"),
        (["-n_servers", "two"], "-n_servers"),
        (["-consumer_send_port", "x"], "-consumer_send_port"),
        (["-consumer_send_port", "5557", "-producer_send_port", "5557"], "-producer_send_port"),
        (["--data", "/no/such/folder"], "--data"),
        (["--log-level", "loud"], "--log-level"),
        (["--typo"], "--typo"),
        (["--engine", "onnx"], "--engine"),
        (["--precision", "half"], "--precision"),
        (["--engine", "tensorflow", "--precision", "int8"], "--precision int8 needs OpenVINO"),
        (["--camera", "-1"], "--camera"),
        (["--camera", "first"], "--camera"),
        (["--camera", "/etc/passwd"], "--camera"),
        (["--camera", "/dev/../etc/passwd"], "--camera"),
        (["--camera", "0", "--camera", "00"], "camera:0"),
        (["--stream", "file:///etc/passwd"], "--stream"),
        (["--stream", "/data/a.mp4"], "--stream"),
        (["--stream", "http://"], "--stream"),
        (["--stream", "http://host:port/"], "--stream"),
        (["--stream", "a b=http://host/"], "--stream"),
        (["--token", ""], "--token"),
        (["--token", "short"], "--token"),
        (["--token", "with a space"], "--token"),
        (["--token", "with-ümlaut"], "--token"),
        (["--allow-host", "lab:80"], "--allow-host"),
        (["--allow-host", "*"], "--allow-host"),
        (["--cors-origin", "*"], "--cors-origin"),
        (["--cors-origin", "lab.example.org"], "--cors-origin"),
        (["--cors-origin", "https://lab/page"], "--cors-origin"),
        (["--max-streams", "0"], "--max-streams"),
        (["--max-streams", "many"], "--max-streams"),
        (["--stream", "1=http://host/", "--stream", "http://host/"], "stream:1"),
    ],
)
def test_what_makes_no_sense_is_status_2_and_names_the_flag(arguments, named, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert named in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_are_status_0(flag, capsys):
    with pytest.raises(SystemExit) as caught:
        parse([flag])
    assert caught.value.code == 0
    assert capsys.readouterr().out


def test_live_sources_get_names_and_keep_their_order():
    addresses = [
        "http://host:8080/a?b=c",
        "yard=rtsp://me:hush@host/1",
        "rtsps://host/2",
        "d.1=https://host/",
    ]
    streams = [part for address in addresses for part in ("--stream", address)]
    settings = parse(["--camera", "1", *streams, "--camera", "/dev/video2", "--camera", "0"])
    assert [(source.name, source.location) for source in settings.sources] == [
        *(("camera:1", "1"), ("camera:video2", "/dev/video2"), ("camera:0", "0")),
        *(("stream:0", "http://host:8080/a?b=c"), ("stream:yard", "rtsp://me:hush@host/1")),
        *(("stream:2", "rtsps://host/2"), ("stream:d.1", "https://host/")),
    ]
    assert "hush" not in repr(settings)
    assert parse([]).sources == ()


@pytest.mark.parametrize(
    "given", ["ftp://me:hush@host/", "http://me:hush@host:99999/", "a b=http://me:hush@host/"]
)
def test_what_is_no_address_is_not_repeated_since_it_may_hold_a_password(given, capsys):
    with pytest.raises(SystemExit):
        parse(["--stream", given])
    assert "hush" not in capsys.readouterr().err


def test_who_may_come_in(monkeypatch):
    monkeypatch.delenv("INFERENCE_TOKEN", raising=False)
    settings = parse([])
    assert (settings.token, settings.allow_hosts, settings.cors_origins, settings.max_streams) == (
        None,
        (),
        (),
        64,
    )
    hosts = ["--allow-host", "Lab.Example.org", "--allow-host", "b"]
    origins = ["--cors-origin", "https://a.example:443", "--cors-origin", "http://b:8080"]
    settings = parse(["--token", "hush-hush", *hosts, *origins, "--max-streams", "3"])
    assert (settings.token, settings.max_streams) == ("hush-hush", 3)
    assert settings.allow_hosts == ("lab.example.org", "b")
    assert settings.cors_origins == ("https://a.example", "http://b:8080")
    assert "hush-hush" not in repr(settings)


def test_a_token_may_stand_in_the_environment_and_the_flag_wins(monkeypatch, capsys):
    monkeypatch.setenv("INFERENCE_TOKEN", "from-the-environment")
    found = [parse(given).token for given in ([], ["--token", "from-the-flag"])]
    assert found == ["from-the-environment", "from-the-flag"]
    for wrong in ("", "hush!"):  # an empty one is a mistake, not a wish for no login
        monkeypatch.setenv("INFERENCE_TOKEN", wrong)
        with pytest.raises(SystemExit):
            parse([])
    with pytest.raises(SystemExit):
        parse(["--token", "hush!"])
    said = capsys.readouterr().err
    assert "INFERENCE_TOKEN" in said and "hush!" not in said


def test_given_folders_are_used(tmp_path):
    settings = parse(["--data", str(tmp_path), "--models", str(tmp_path)])
    assert settings.data == settings.models == Path(tmp_path)
