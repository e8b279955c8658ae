"""Holds what the project says of its environment against what is installed, imported and tracked.

Each rule is a function from text to the list of what breaks it, so that the rule itself is tested on texts
that break it, and only then used on the project's own files.
"""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import inference

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PLATFORMS = ("linux", "darwin")
NOT_IMPORTED = "not imported:"
"""Opens the reason of a direct requirement that no code imports."""
NOT_EVERYWHERE = "where it runs:"
"""Opens the reason of a direct requirement that some machines lack; what needs it is skipped there."""


def requirement_lines(text: str) -> list[str]:
    """The lines that name a package, without comments; includes (`-r run.in`) are left out."""
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("-r ")]


def requirements(text: str) -> list[Requirement]:
    return [Requirement(line) for line in requirement_lines(text)]


def names(text: str) -> set[str]:
    return {str(canonicalize_name(requirement.name)) for requirement in requirements(text)}


def loose_pins(text: str) -> list[str]:
    """What is not `name==version`, with or without a marker."""
    exact = re.compile(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+]*( ; .+)?")
    return [line for line in requirement_lines(text) if not exact.fullmatch(re.sub(r"\s+;\s+", " ; ", line))]


def without_reason(text: str) -> list[str]:
    """The requirements with no comment of at least two words beside them ("the same" follows its twin)."""
    missing, previous = [], ""
    for line in text.splitlines():
        requirement, _, reason = (part.strip() for part in line.partition(" #"))
        if not requirement or requirement.startswith(("#", "-r ")):
            continue
        name = Requirement(requirement).name
        if len(reason.split()) < 2 or (reason == "the same" and name != previous):
            missing.append(line)
        previous = name
    return missing


def not_everywhere(text: str) -> set[str]:
    """The packages whose reason says that some machines do without them."""
    return names("\n".join(line for line in text.splitlines() if f"# {NOT_EVERYWHERE}" in line))


def addresses(text: str) -> list[str]:
    """The lines by which pip or conda would look anywhere but where its user told it to."""
    found = re.compile(r"^\s*(-\s+)?(-i\b|-f\b|--\S)|\w://|\s@\s", re.MULTILINE)
    return [line for line in text.splitlines() if found.search(line.partition("#")[0])]


def machine_words(text: str) -> list[str]:
    """What only means something on one machine: paths in its home and work folders, its registries."""
    path = r"(?<![\w.>)}\]])/(?:work|root|home|Users)/[\w.]"
    option = r"(?<![\w-])--?(?:extra-)?index[-_]url\b|--?find[-_]links\b|--?trusted[-_]host\b"
    registry = r"\bpypi\.(?:org|python\.org)/simple|files\.pythonhosted\.org|registry\.npmjs\.org"
    return [match.group() for match in re.finditer(f"{path}|{option}|{registry}", text)]


def applying(text: str, python: str, platform: str) -> list[Requirement]:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.5",
        "sys_platform": platform,
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    return [each for each in requirements(text) if each.marker is None or each.marker.evaluate(environment)]


def applying_here(text: str) -> list[Requirement]:
    return [each for each in requirements(text) if each.marker is None or each.marker.evaluate()]


def not_installed(text: str) -> list[str]:
    """Pins that this Python's installed packages do not meet."""
    wrong = []
    for requirement in applying_here(text):
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            version = "none"
        if version == "none" or not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name}: {version} is installed, {requirement.specifier} is pinned")
    return wrong


def modules_imported(source: str) -> set[str]:
    """Top-level names a module imports, inside functions and by `import_module("name")` and the like too."""
    by_name = {"import_module", "find_spec", "files", "importorskip"}
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            if called in by_name and isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return {name.partition(".")[0] for name in found}


@functools.cache
def distributions() -> dict[str, set[str]]:
    """Which installed packages bring a module of that name: {"cv2": {"opencv-python-headless"}, ...}."""
    # Not packages_distributions(): Python 3.10's knows only packages that list their modules themselves.
    brought: dict[str, set[str]] = {}
    for distribution in importlib.metadata.distributions():
        listed = (distribution.read_text("top_level.txt") or "").split()
        for module in listed or {file.parts[0].partition(".")[0] for file in distribution.files or []}:
            brought.setdefault(module, set()).add(str(canonicalize_name(distribution.metadata["Name"])))
    return brought


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        path = ROOT / folder
        yield from [path] if path.suffix == ".py" and path.exists() else sorted(path.rglob("*.py"))


def foreign_imports(*folders: str) -> dict[str, set[str]]:
    """{module: the files that import it}, without the standard library and the project's own."""
    own = {path.stem for path in ROOT.iterdir()} | {path.stem for path in python_files("tests")}
    users: dict[str, set[str]] = {}
    for path in python_files(*folders):
        for module in modules_imported(path.read_text(encoding="utf-8")):
            if module not in sys.stdlib_module_names and module not in own:
                users.setdefault(module, set()).add(path.relative_to(ROOT).as_posix())
    return users


def uncovered(imports: dict[str, set[str]], direct: set[str]) -> list[str]:
    return [
        f"{module}, imported by {', '.join(sorted(users))}"
        for module, users in sorted(imports.items())
        if not distributions().get(module, set()) & direct
    ]


def conda_environment(text: str) -> tuple[list[str], list[str], list[str]]:
    """An env.yml's channels, conda packages and pip lines. Knows only as much YAML as the file uses."""
    lists: dict[str, list[str]] = {"channels": [], "dependencies": [], "pip": []}
    current = ""
    for line in text.splitlines():
        line = line.partition("#")[0].rstrip()
        if not line:
            continue
        if heading := re.fullmatch(r"(\w+):", line):
            current = heading.group(1)
        elif line == "  - pip:":
            current = "pip"
        elif item := re.fullmatch(r" +- (.+)", line):
            if current == "pip" and not line.startswith("      "):
                current = "dependencies"
            lists[current].append(item.group(1))
        else:
            assert re.fullmatch(r"name: [\w-]+", line), f"env.yml has a line nobody checks: {line}"
    return lists["channels"], lists["dependencies"], lists["pip"]


def conda_disagreements(text: str, supported: SpecifierSet) -> list[str]:
    """Why an env.yml would not make the environment of `make run`."""
    channels, packages, pip = conda_environment(text)
    wrong = [f"channel {channel}" for channel in channels if not re.fullmatch(r"[\w-]+", channel)]
    wrong += [f"conda would bring {each}" for each in packages if not re.match(r"(python=|pip$)", each)]
    pythons = [each.removeprefix("python=") for each in packages if each.startswith("python=")]
    if [version for version in pythons if supported.contains(version)] != pythons or len(pythons) != 1:
        wrong.append(f"python is {pythons}, supported is {supported}")
    if "pip" not in packages:
        wrong.append("no pip to install the pins with")
    if pip != ["-r requirements/run.txt"]:
        wrong.append(f"pip installs {pip}")
    return wrong


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def supported_pythons() -> SpecifierSet:
    found = re.search(r'^requires-python = "(.+)"$', read("pyproject.toml"), re.MULTILINE)
    assert found, "pyproject.toml says no requires-python"
    return SpecifierSet(found.group(1))


def direct(kind: str) -> set[str]:
    return names(read(f"requirements/{kind}.in"))


# ---- the rules themselves: each has to see what breaks it


@pytest.mark.parametrize(
    "line", ["flask", "flask>=3", "flask==3.*", "flask~=3.1", "flask @ x", "flask==3,<4", "flask===3"]
)
def test_a_loose_pin_is_seen(line: str) -> None:
    assert loose_pins(f"numpy==2.4.6  # arrays\n{line}  # a reason\n") == [line]


@pytest.mark.parametrize("line", ["flask==3.1.3", 'numpy==2.2.6 ; python_version < "3.11"', "x==1.0rc1"])
def test_an_exact_pin_is_none(line: str) -> None:
    assert loose_pins(line) == []


def test_a_missing_reason_is_seen() -> None:
    text = (
        "flask==3.1.3\nnumpy==2.2.6  # its arrays\nnumpy==2.4.6  # the same\nscipy==1.0  # the same\nx==1 #"
    )
    assert without_reason(text) == ["flask==3.1.3", "scipy==1.0  # the same", "x==1 #"]


@pytest.mark.parametrize(
    "line",
    [
        "--no-index",
        "-i somewhere",
        "-f wheels",
        "torch @ file:///x.whl",
        "git+https://example.org/x",
        "  - https://example.org/channel",
    ],
)
def test_an_address_is_seen(line: str) -> None:
    assert addresses(f"flask==3.1.3  # see https://example.org\n{line}\n") == [line]


@pytest.mark.parametrize(
    "text",
    [
        "".join(["open('/", "work/main/x')"]),
        "".join(["#!/", "root/.venv/bin/python"]),
        "".join(["at /", "home/ada/videos"]),
        "".join(["pip install --", "index-url=x"]),
        "".join(["https://pypi", ".org/simple/flask"]),
    ],
)
def test_a_word_of_one_machine_is_seen(text: str) -> None:
    assert machine_words(text)


@pytest.mark.parametrize(
    "text", ["/usr/bin/env bash", "https://example.org/home/page", "framework/root/x", "../work/x"]
)
def test_a_word_of_every_machine_is_none(text: str) -> None:
    assert not machine_words(text)


def test_what_some_machines_lack_says_so() -> None:
    text = 'x==1 ; python_version >= "3.11"  # where it runs: a reason\ny==1  # a reason'
    assert not_everywhere(text) == {"x"}


def test_imports_are_found_wherever_they_stand() -> None:
    source = (
        "import os.path, numpy as np\nfrom . import wire\nfrom flask.json import dumps\n"
        "def f():\n    import tensorflow\n    importlib.import_module('tf_keras.models')\n    print('cv2')\n"
    )
    assert modules_imported(source) == {"os", "numpy", "flask", "tensorflow", "tf_keras"}


def test_an_import_without_requirement_is_seen() -> None:
    assert uncovered({"packaging": {"app.py"}}, {"flask"}) == ["packaging, imported by app.py"]
    assert uncovered({"no_such_module": {"app.py"}}, {"flask"}) == ["no_such_module, imported by app.py"]
    assert uncovered({"packaging": {"app.py"}}, {"packaging"}) == []


def test_a_package_that_is_not_as_pinned_is_seen() -> None:
    assert not_installed("packaging==0.1\nno-such-package==1.0\n") == [
        f"packaging: {importlib.metadata.version('packaging')} is installed, ==0.1 is pinned",
        "no-such-package: none is installed, ==1.0 is pinned",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("python=3.11", "python=3.9"),
        ("python=3.11", "python"),
        ("  - pip\n", "  - pip\n  - numpy=2.4\n"),
        ("  - pip\n", ""),
        ("run.txt", "other.txt"),
        ("run.txt", "run.txt\n      - numpy"),
        ("conda-forge", "https://example.org/channel"),
    ],
)
def test_a_conda_environment_that_differs_is_seen(old: str, new: str) -> None:
    text = read("env.yml")
    assert old in text
    assert conda_disagreements(text.replace(old, new), supported_pythons())


# ---- the project's own files


@pytest.mark.parametrize("path", sorted(path.name for path in REQUIREMENTS.iterdir()))
def test_every_pin_is_exact_and_names_no_address(path: str) -> None:
    text = read(f"requirements/{path}")
    assert requirement_lines(text)
    assert loose_pins(text) == []
    assert addresses(text) == []


@pytest.mark.parametrize("kind", ["run", "dev", "audit", "npm"])
def test_every_direct_requirement_says_why(kind: str) -> None:
    assert without_reason(read(f"requirements/{kind}.in")) == []


def test_the_lock_files_hold_what_is_asked_for() -> None:
    run, dev = read("requirements/run.txt"), read("requirements/dev.txt")
    for python, platform in itertools.product(PYTHONS, PLATFORMS):
        locked = {each.name: str(each.specifier) for each in applying(run, python, platform)}
        with_dev = {each.name: str(each.specifier) for each in applying(dev, python, platform)}
        asked = applying(read("requirements/run.in"), python, platform)
        asked_dev = applying(read("requirements/dev.in"), python, platform)
        assert {each.name: str(each.specifier) for each in asked}.items() <= locked.items()
        assert {each.name: str(each.specifier) for each in asked_dev}.items() <= with_dev.items()
        assert locked.items() <= with_dev.items(), "run.txt and dev.txt pin different versions"


@pytest.mark.parametrize(
    "path", ["run.in", "run.txt", "dev.in", "dev.txt", "audit.in", "audit.txt", "npm.in", "npm.txt"]
)
def test_each_python_gets_one_version_of_each(path: str) -> None:
    text = read(f"requirements/{path}")
    for python, platform in itertools.product(PYTHONS, PLATFORMS):
        found = [each.name for each in applying(text, python, platform)]
        assert len(found) == len(set(found)), f"Python {python} on {platform} gets a package twice"
    if path.endswith(".in"):
        everywhere = names(text) - not_everywhere(text)
        for python in PYTHONS:
            here = {str(canonicalize_name(each.name)) for each in applying(text, python, "linux")}
            assert everywhere <= here


def test_the_installed_packages_are_the_pinned_ones() -> None:
    assert not_installed(read("requirements/dev.txt")) == [], "make test installs them"


def test_the_installed_packages_need_nothing_that_is_not_pinned() -> None:
    pinned = {canonicalize_name(each.name) for each in applying_here(read("requirements/dev.txt"))}
    missing = []
    for name in sorted(pinned):
        for line in importlib.metadata.requires(name) or []:
            needed = Requirement(line)
            applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
            if applies and canonicalize_name(needed.name) not in pinned:
                missing.append(f"{name} needs {line}")
    assert missing == []


def test_env_yml_makes_the_environment_of_the_requirements() -> None:
    assert conda_disagreements(read("env.yml"), supported_pythons()) == []


def test_the_supported_pythons_are_said_the_same_everywhere() -> None:
    supported = supported_pythons()
    assert [f"3.{minor}" for minor in range(30) if supported.contains(f"3.{minor}")] == list(PYTHONS)
    first, last = PYTHONS[0], f"3.{int(PYTHONS[-1].partition('.')[2]) + 1}"
    comma = ", ".join
    assert f"({comma(first.split('.'))}) <= sys.version_info < ({comma(last.split('.'))})" in read("Makefile")
    assert f"--python-version {first} " in read("requirements/run.in")


def test_the_app_imports_only_what_is_required_to_run() -> None:
    imports = foreign_imports("app.py", "inference")
    assert uncovered(imports, direct("run")) == []


def test_tests_and_tools_import_only_what_is_required() -> None:
    imports = foreign_imports("app.py", "inference", "tests", "benchmarks", "sample", "fuzz")
    assert "pytest" in imports
    absent = not_everywhere(read("requirements/dev.in")) - set(distributions())
    here = {module: users for module, users in imports.items() if module not in absent}
    assert uncovered(here, direct("run") | direct("dev")) == []


def test_every_run_time_requirement_is_used() -> None:
    imported = foreign_imports("app.py", "inference")
    used = set().union(*(distributions().get(module, set()) for module in imported))
    reasons = dict(
        re.findall(r"^([\w.-]+)==.*? # *(.*)$", read("requirements/run.in"), re.MULTILINE)[::-1]
    )  # reversed: of two lines for one package, the first has the reason
    unused = [name for name in sorted(direct("run") - used) if not reasons[name].startswith(NOT_IMPORTED)]
    assert unused == [], "nothing imports them: drop them, or say why they are needed"


def test_the_version_is_one() -> None:
    assert re.search(rf"^## {re.escape(inference.__version__)}\b", read("CHANGELOG.md"), re.MULTILINE)


def tracked() -> list[Path]:
    """What git tracks or would take; skips where there is no checkout to ask."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are tracked is not known")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_speaks_of_one_machine() -> None:
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            words = machine_words(content.decode("utf-8", errors="replace"))
            found += [f"{path.relative_to(ROOT)}: {word}" for word in words]
    assert found == []


def test_nothing_tracked_is_made_by_the_tools() -> None:
    made = {".venv", ".venv-audit", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
    assert [path for path in tracked() if made & set(path.relative_to(ROOT).parts)] == []
