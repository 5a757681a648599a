"""The log: what is in it, what is not, and that nothing fails because of it."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

import giving
from bedrot import log
from bedrot.errors import Refused
from bedrot.lake.zones import Lake
from bedrot.log import Kind, Log, Redacting, bind, events, hide, note, redacted, silence
from giving import BANK, Person

SECRETS = [f"canary-{number}-Zq9ü/+=&\"'\\{'x' * number}" for number in range(10)]


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    return giving.person(tmp_path, monkeypatch, capsys)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(log, "_hidden", {})
    hide(SECRETS)
    return SECRETS


def walked(person: Person) -> Lake:
    """A lake into which a good file and a bad one came, walked."""
    bad = person.file("nothing.csv", "a,b\n1,2\n")
    assert person.bedrot("import", str(BANK), str(bad)).code == 1
    assert person.bedrot("run").code == 0
    return person.lake


def test_what_happened_is_told_with_run_source_feed_and_delivery(person: Person) -> None:
    lake = walked(person)
    told = list(events(lake.logs))
    came = [one for one in told if one["command"] == "import"]
    assert [(one["event"], one.get("file")) for one in came] == [("accepted", BANK.name), ("unrecognised", None)]
    ran = [one for one in told if one["command"] == "run"]
    assert {one["run"] for one in ran} == {1}
    assert ran[0]["event"] == "run began"
    assert [one["event"] for one in ran][-2:] == ["published", "run done"]
    (staged,) = (one for one in ran if one["event"] == "staged")
    assert (staged["source"], staged["feed"], staged["table"]) == ("distrokid", "distrokid.bank", "distrokid_bank")
    assert staged["delivery"] == told[0]["delivery"]
    assert staged["records"] == staged["rows"] > 0
    assert {one["kind"] for one in told} == {Kind.VALIDATION, Kind.TRANSFORMATION, Kind.LOADING}
    assert len({one["process"] for one in told}) <= 2


def test_an_error_stands_in_the_log_with_what_to_do(person: Person) -> None:
    assert person.bedrot("retract", "0" * 32, "--because", "a try").code == 2
    (told,) = events(person.lake.logs)
    assert (told["kind"], told["event"], told["command"]) == (Kind.ERROR, "Misconfigured", "retract")
    assert told["sentence"]
    assert told["next"]


def test_a_mistake_of_the_program_says_where_and_not_with_what(tmp_path: Path) -> None:
    def broken(token: str) -> None:
        raise KeyError(len(token))

    with pytest.raises(KeyError), Log(tmp_path / "logs"):
        broken("a-token-that-nobody-hid")
    (told,) = events(tmp_path / "logs")
    assert told["event"] == "KeyError"
    assert told["where"][-1].endswith(" broken")
    assert (
        "nobody-hid"
        not in (tmp_path / "logs").joinpath(*[one.name for one in (tmp_path / "logs").iterdir()]).read_text()
    )


def shapes(secret: str) -> list[str]:
    """A secret in the forms in which libraries and protocols write it."""
    raw = secret.encode()
    inside = [base64.b64encode(b"Basic:x"[:before] + raw + b"tail").decode() for before in range(4)]
    safe = [base64.urlsafe_b64encode(b"u:p"[:before] + raw).decode() for before in range(3)]
    return [secret, f"?token={quote(secret, safe='')}&x=1", json.dumps({"a": [secret]}), *inside, *safe]


def shown(text: str) -> list[str]:
    """The secrets of which a text shows anything: as they are, escaped, or within base64."""
    found = []
    for secret in SECRETS:
        core = secret[:8]
        forms = {core, *(base64.b64encode(b"x" * n + secret.encode()).decode()[4:20] for n in range(3))}
        if any(one in text for one in forms):
            found.append(secret)
    return found


def written(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())


def test_no_secret_gets_into_the_log_in_any_form(tmp_path: Path, secrets: list[str]) -> None:
    def works() -> None:
        for secret in secrets:
            for shape in shapes(secret):
                note(Kind.EXTRACTION, "asked", sentence=f"with {shape}!", more={"deep": [shape]})
        bind(who=secrets[3])
        note(Kind.LOADING, "bound")
        raise Refused(f"{secrets[0]} was given.", secrets[1], file=secrets[2])

    with pytest.raises(Refused), Log(tmp_path / "logs"):
        works()
    text = written(tmp_path / "logs")
    assert text.count("\n") == len(secrets) * len(shapes("")) + 2
    assert shown(text) == []


def test_secrets_are_found_where_nobody_hides_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_hidden", {})
    for place, name in enumerate(shapes("")):
        assert name is not None
        with Log(tmp_path / str(place)):
            for secret in SECRETS:
                note(Kind.EXTRACTION, "asked", sentence=shapes(secret)[place])
        assert shown(written(tmp_path / str(place))), place


def test_no_secret_is_printed(secrets: list[str]) -> None:
    below = io.StringIO()
    stream = Redacting(below)
    for secret in secrets:
        assert stream.write(f"says {secret}\n") > 0
        stream.writelines(shapes(secret))
    assert shown(below.getvalue()) == []
    assert "says …" in below.getvalue()
    assert stream.isatty() is False


def test_short_texts_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_hidden", {})
    hide(["", "a", "main"])
    assert redacted("the account main") == "the account main"


@pytest.mark.parametrize("way", ["file", "read-only", "dangling"])
def test_where_no_log_can_be_written_all_else_goes_on(person: Person, way: str) -> None:
    logs = person.lake.logs
    if way == "file":
        logs.write_text("in the way")
    if way == "read-only":
        logs.mkdir()
        (logs / f"bedrot-{datetime.now(UTC):%Y-%m-%d}.jsonl").mkdir()
    if way == "dangling":
        logs.symlink_to(person.lake.root / "nowhere" / "at all")
    walked(person)
    assert list(events(logs)) == []
    assert person.bedrot("logs").out.strip() == "The log tells of nothing like that."


def test_logs_of_days_long_past_are_removed_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    today = datetime.now(UTC)
    ages = {days: folder / f"bedrot-{today - timedelta(days=days):%Y-%m-%d}.jsonl" for days in (0, 1, 29, 31, 400)}
    for path in ages.values():
        path.write_text("{}\n")
    (folder / "mine.txt").write_text("kept")
    with Log(folder, days=30):
        note(Kind.LOADING, "anything")
    left = {path.name for path in folder.iterdir()}
    assert left == {ages[days].name for days in (0, 1, 29)} | {"mine.txt"}


def test_lines_that_are_not_whole_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    with Log(folder):
        note(Kind.LOADING, "first")
    (path,) = folder.iterdir()
    path.write_bytes(b'{"at": "2026", "kind"\n[1]\n\xff\xfe\n' + path.read_bytes() + b'{"at": "20')
    assert [one["event"] for one in events(folder)] == ["first"]


def test_what_is_only_tried_is_not_told(tmp_path: Path) -> None:
    with Log(tmp_path / "logs"):
        with silence():
            note(Kind.LOADING, "tried")
        note(Kind.LOADING, "done")
    note(Kind.LOADING, "behind")
    assert [one["event"] for one in events(tmp_path / "logs")] == ["done"]


def test_two_processes_do_not_cut_each_others_lines(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from bedrot.log import Kind, Log, note\n"
        "with Log(Path(sys.argv[1])):\n"
        "    for n in range(300): note(Kind.LOADING, 'one', n=n, long='x' * 1500)\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", script, tmp_path / "logs"]) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    told = list(events(tmp_path / "logs"))
    assert sorted(one["n"] for one in told) == sorted([*range(300), *range(300)])


def test_runs_and_their_events_can_be_asked_for(person: Person) -> None:
    walked(person)
    assert person.bedrot("run").code == 0
    rows = json.loads(person.bedrot("runs", "--json").out)
    assert [(one["run"], one["outcome"], one["snapshot"]) for one in rows] == [(1, "done", 1), (2, "done", 1)]
    assert rows[0]["deliveries"] == 1
    (one,) = json.loads(person.bedrot("runs", "show", "1", "--json").out)
    assert one["log"][0]["event"] == "run began"
    assert one["summary"]["rows"] == rows[0]["rows"]
    of_two = json.loads(person.bedrot("logs", "--run", "2", "--json").out)
    assert {(event["run"], event["command"]) for event in of_two} == {(2, "run")}
    only = json.loads(person.bedrot("logs", "--kind", "validation", "--json").out)
    assert {event["kind"] for event in only} == {"validation"}
    ahead = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    assert json.loads(person.bedrot("logs", "--since", ahead, "--json").out) == []
    assert "unrecognised" in person.bedrot("logs", "--last", "500").out
    missing = person.bedrot("runs", "show", "7")
    assert (missing.code, missing.err.splitlines()[0]) == (2, "There is no run 7.")
