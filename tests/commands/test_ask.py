"""The asking and deciding commands as a person meets them: what is said, what is written, how they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from bedrot.cli import main
from bedrot.lake.decisions import all_decisions
from bedrot.lake.zones import Lake

Said = tuple[int, str, str]
Bedrot = Callable[..., Said]
HEADING = (
    "Reporting Date\tSale Month\tStore\tArtist\tTitle\tISRC\tUPC\tQuantity\tTeam Percentage\tSong/Album"
    "\tCountry of Sale\tSongwriter Royalties Withheld\tEarnings (USD)"
)


def line(day: str, store: str, earnings: str) -> str:
    month = day[:7]
    return f"{day}\t{month}\t{store}\tPaper Comets\tTin\tQZPC11800001\t0198001234567\t3\t100\tSong\tUS\t0\t{earnings}"


JANUARY = (line("2025-01-31", "Spotify", "0.1"), line("2025-01-31", "Tidal", "1.5"))
RESTATED = (line("2025-01-31", "Spotify", "0.100000000000000001"), line("2025-01-31", "Tidal", "1.75"))


@pytest.fixture
def bedrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bedrot:
    """The command over an empty lake; gives exit code, what was said, and what was complained of."""
    monkeypatch.setenv("BEDROT_LAKE", str(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)

    def call(*told: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["bedrot", *told])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    call("init", "lake")
    return call


def give(bedrot: Bedrot, tmp_path: Path, exported: str, received: str, *lines: str) -> str:
    """Import bank details; gives the delivery."""
    epoch = int(datetime.fromisoformat(exported).replace(tzinfo=UTC).timestamp() * 1000)
    path = tmp_path / f"DistroKid_{epoch}_Paper_Comets.tsv"
    path.write_text("\n".join([HEADING, *lines]) + "\n", encoding="utf-8", newline="\n")
    code, out, err = bedrot("import", str(path), "--received-at", received, "--json")
    assert code == 0, out + err
    return str(json.loads(out)[0]["delivery"])


def test_sql_answers_now_on_a_day_and_of_an_older_state_exactly(bedrot: Bedrot, tmp_path: Path) -> None:
    give(bedrot, tmp_path, "2025-02-01", "2025-02-01", *JANUARY)
    assert bedrot("run")[0] == 0
    give(bedrot, tmp_path, "2025-03-01", "2025-03-01", *RESTATED)
    bedrot("run")
    query = "select sum(earnings) as total from royalties"
    assert json.loads(bedrot("sql", query, "--json")[1]) == [{"total": "1.850000000000000001"}]
    assert json.loads(bedrot("sql", query, "--snapshot", "1", "--json")[1]) == [{"total": "1.6"}]
    assert json.loads(bedrot("sql", query, "--known-on", "2025-02-28", "--json")[1]) == [{"total": "1.6"}]
    assert json.loads(bedrot("sql", query, "--known-on", "2025-01-31", "--json")[1]) == [{"total": None}]
    assert bedrot("sql", query, "--format", "csv")[1] == "total\n1.850000000000000001\n"
    code, out, _ = bedrot("sql", "select store, earnings as e_e from royalties order by 1")
    assert (code, next(one.split() for one in out.splitlines() if one.split())) == (0, ["store", "e_e"])
    assert "0.100000000000000001" in out
    assert bedrot("sql", query, "-o", "answer.parquet")[0] == 0
    assert duckdb.execute("FROM 'answer.parquet'").fetchall() == [(Decimal("1.850000000000000001"),)]
    assert bedrot("sql", query, "-o", "answer.csv")[0] == 0
    assert (tmp_path / "answer.csv").read_bytes() == b"total\n1.850000000000000001\n"


WRONG = [
    (["sql", "select nope from royalties"], 2, "The SQL cannot be answered"),
    (["sql", "drop view royalties"], 1, "Only one SELECT at a time"),
    (["sql", "select 1", "--snapshot", "7"], 2, "There is no snapshot 7"),
    (["sql", "select 1", "--known-on", "soon"], 2, "'soon' is not a day or an instant"),
    (["sql", "select 1", "-o", "lake/raw/x.csv"], 2, "An answer cannot be written there"),
    (["sql", "from read_text('bedrot.toml')"], 1, "Only the tables of the lake"),
    (["diff", "nope", "--from", "2025-01-01", "--to", "2025-01-02"], 2, "There is no table 'nope'"),
    (["diff", "royalties", "--from", "2025-01-03", "--to", "2025-01-02"], 2, "--from lies behind --to"),
    (["rejects", "nope"], 2, "No file was ever read into a table 'nope'"),
    (["approve", "abcdef", "--because", "x"], 2, "Nothing held or vanished has an id"),
    (["retract", "abcdef", "--because", "x"], 2, "No delivery has an id"),
    (["reassign", "abcdef", "--account", " ", "--because", "x"], 2, "an account with a name"),
]


def test_what_cannot_be_done_is_a_sentence_and_decides_nothing(bedrot: Bedrot, tmp_path: Path) -> None:
    give(bedrot, tmp_path, "2025-02-01", "2025-02-01", *JANUARY)
    bedrot("run")
    for told, code, sentence in WRONG:
        found = bedrot(*told)
        assert found[0] == code, told
        assert sentence in found[2], told
    assert all_decisions(Lake(tmp_path / "lake")) == []


def test_before_the_first_run_questions_say_what_to_do(bedrot: Bedrot) -> None:
    assert bedrot("sql", "select 1")[::2] == (
        2,
        "Nothing is published yet.\nWhat to do: Import files, then `bedrot run`.\n",
    )
    assert bedrot("rejects")[0] == 0
    code, out, _ = bedrot("status")
    assert (code, "No file has come yet" in out) == (0, True)


def test_a_held_line_is_shown_approved_by_the_beginning_of_its_id_and_becomes_the_truth(
    bedrot: Bedrot, tmp_path: Path
) -> None:
    give(bedrot, tmp_path, "2025-02-01", "2025-02-01", *JANUARY)
    give(bedrot, tmp_path, "2025-02-01", "2025-02-02", *RESTATED)
    assert bedrot("run")[0] == 1
    code, out, _ = bedrot("held", "--json")
    rows = json.loads(out)
    assert code == 1
    assert {(one["published"][0]["earnings"], one["told"][0]["earnings"]) for one in rows} == {("1.5", "1.75")}
    assert "earnings: published 1.5, the file says 1.75" in bedrot("held")[1]
    assert bedrot("approve", rows[0]["id"][:6], "--because", " ")[::2] == (
        2,
        "A decision needs a reason.\nWhat to do: Say why with --because.\n",
    )
    code, out, _ = bedrot("approve", rows[0]["id"][:6], "--because", "the store wrote again")
    assert code == 0
    assert "It takes effect with the next run: bedrot run" in out
    (decision,) = all_decisions(Lake(tmp_path / "lake"))
    assert (decision.kind, decision.target, decision.because) == ("approve", rows[0]["id"], "the store wrote again")
    assert "approved before; nothing changed" in bedrot("approve", rows[0]["id"], "--because", "again")[1]
    assert json.loads(bedrot("sql", "select sum(earnings) t from royalties", "--json")[1])[0]["t"].startswith("1.6")
    assert bedrot("run")[0] == 0
    assert json.loads(bedrot("sql", "select sum(earnings) t from royalties", "--json")[1])[0]["t"].startswith("1.85")
    assert bedrot("held")[:2] == (0, "Nothing is held.\n")


def test_a_delivery_is_moved_and_taken_out_while_raw_keeps_it(bedrot: Bedrot, tmp_path: Path) -> None:
    delivery = give(bedrot, tmp_path, "2025-02-01", "2025-02-01", *JANUARY)
    bedrot("run")
    code, out, _ = bedrot("reassign", delivery[:8], "--account", "second", "--because", "it was hers")
    assert (code, "from 'main' to 'second'" in out) == (0, True)
    assert "already; nothing changed" in bedrot("reassign", delivery, "--account", "second", "--because", "x")[1]
    bedrot("run")
    accounts = "select distinct account from royalties"
    assert json.loads(bedrot("sql", accounts, "--json")[1]) == [{"account": "second"}]
    assert bedrot("retract", delivery, "--because", "a test export")[0] == 0
    assert "retracted before; nothing changed" in bedrot("retract", delivery, "--because", "x")[1]
    bedrot("run")
    assert json.loads(bedrot("sql", accounts, "--json")[1]) == []
    lake = Lake(tmp_path / "lake")
    assert lake.manifest_path(delivery).is_file()
    assert [one.kind for one in all_decisions(lake)] == ["reassign", "retract"]


def test_a_file_name_in_place_of_a_delivery_names_the_deliveries_of_that_file(bedrot: Bedrot, tmp_path: Path) -> None:
    delivery = give(bedrot, tmp_path, "2025-02-01", "2025-02-01", *JANUARY)
    name = next(tmp_path.glob("DistroKid_*")).name
    code, _, err = bedrot("retract", name, "--because", "x")
    assert code == 2
    assert f"Files of that name are {delivery[:12]} (distrokid.bank, exported 2025-02-01)" in err


def test_vanished_lines_and_a_diff_tell_the_money(bedrot: Bedrot, tmp_path: Path) -> None:
    give(bedrot, tmp_path, "2025-02-01", "2025-02-01", *JANUARY)
    give(bedrot, tmp_path, "2025-03-01", "2025-03-01", RESTATED[1])
    bedrot("run")
    code, out, _ = bedrot("vanished", "--json")
    (gone,) = json.loads(out)
    assert (code, gone["lines"], gone["money"]["earnings"]) == (0, 1, "0.100000000000000000")
    assert bedrot("status")[0] == 0, "what is kept needs nobody"
    told = ("diff", "royalties", "--from", "2025-02-01", "--to", "2025-03-01")
    code, out, _ = bedrot(*told, "--json")
    found = json.loads(out)
    assert found["numbers"] == {"new": 0, "restated": 1, "renamed": 0, "gone": 0}
    money = next(one for one in found["money"] if one["column"] == "earnings")
    assert (money["before"], money["by_kind"]["restated"], money["after"]) == ("1.6", "0.25", "1.85")
    assert [one["after"]["earnings"] for one in found["changes"]] == ["1.75"]
    out = bedrot(*told)[1]
    assert "earnings 1.5 → 1.75" in out
    assert "1 lines vanished from newer files and are kept" in out


def test_status_ends_with_one_when_a_control_differs_and_names_both_amounts(bedrot: Bedrot, tmp_path: Path) -> None:
    give(bedrot, tmp_path, "2025-02-01", "2025-02-01", *JANUARY, line("2025-01-31", "Deezer", "a lot"))
    bedrot("run")
    with (tmp_path / "lake" / "bedrot.toml").open("a", encoding="utf-8") as file:
        file.write('[[control]]\nsource = "distrokid"\nperiod = "2025-01"\namount = "1.61"\n')
    code, out, _ = bedrot("status")
    assert code == 1
    assert "the service shows 1.61 USD, here are 1.6: DIFFERS by -0.01" in out
    code, out, _ = bedrot("status", "--json")
    found = json.loads(out)
    assert (code, found["controls"][0]["difference"], found["feeds"][0]["rejected"]) == (1, "-0.01", 1)
    code, out, _ = bedrot("rejects")
    assert (code, "line 4: earnings: 'a lot' is not an amount" in out) == (1, True)
