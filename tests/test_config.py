"""Settings: what a person may write, and the sentence for what is wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bedrot.config import AccountRule, ArtistRule, Control, Run, Settings, read_settings
from bedrot.errors import Misconfigured

CONTROL = '[[control]]\nsource = "x"\nperiod = "2025-01"\n'


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "bedrot.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def test_without_a_file_everything_is_as_it_comes(tmp_path: Path) -> None:
    told = read_settings(tmp_path / "none.toml")
    assert told == Settings()
    assert (told.run.workers, told.archive.snapshots, told.account) == (2, 20, ())


@pytest.mark.parametrize(
    ("amount", "is_"),
    [
        ("0.1000000000000000000000001", "0.1000000000000000000000001"),
        ("123456789012345678901234567890.10", "123456789012345678901234567890.10"),
        ('"12.50"', "12.50"),
        ("12", "12"),
        ("-3", "-3"),
        ("1e-8", "1E-8"),
        ("98765432109876543210", "98765432109876543210"),
    ],
)
def test_an_amount_is_exact_however_it_is_written(tmp_path: Path, amount: str, is_: str) -> None:
    (told,) = settings(tmp_path, f"{CONTROL}amount = {amount}").control
    assert isinstance(told.amount, Decimal)
    assert told.amount.as_tuple() == Decimal(is_).as_tuple()
    assert (told.account, told.currency) == ("main", "USD")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[run]\nworkers = 0", "The setting 'run.workers' is wrong: Expected a whole number >= 1."),
        ("[run]\nworkers = 257", "The setting 'run.workers' is wrong: Expected a whole number <= 256."),
        ("[run]\nworkers = true", "'run.workers' is wrong: Expected a whole number, got true or false."),
        ("[run]\nworkers = 1.5", "'run.workers' is wrong: Expected a whole number, got a number with a point."),
        ('[run]\nworkers = "2"', "'run.workers' is wrong: Expected a whole number, got text in quotation marks."),
        ("[run]\nworker = 2", "The setting 'run.worker' is wrong: There is no setting of that name."),
        ("runs = 2", "The setting 'runs' is wrong: There is no setting of that name."),
        ("run = 2", "The setting 'run' is wrong: Expected a table of settings, got a whole number."),
        ("[control]\nsource = 'x'", "The setting 'control' is wrong: Expected a list, got a table of settings."),
        ("sources = ['a', 1]", "'sources[1]' is wrong: Expected text in quotation marks, got a whole number."),
        ("[[account]]\nsource = 'x'", "The setting 'account[0].name' is wrong: It is missing."),
        (f"{CONTROL}amount = true", "'control[0].amount' is wrong: Expected a number with a point, got true or false."),
        (f"{CONTROL}amount = '1,5'", "The setting 'control[0].amount' is wrong: Expected an amount in digits."),
        (f"{CONTROL}amount = inf", "The setting 'control[0]' is wrong: Expected an amount in digits."),
        (f"{CONTROL}amount = 'NaN'", "The setting 'control[0]' is wrong: Expected an amount in digits."),
        (
            CONTROL.replace("2025-01", "2025-1") + "amount = 1",
            "'control[0].period' is wrong: Expected a month as \"2025-03\", or a year as \"2025\".",
        ),
        (CONTROL.replace("2025-01", "2025\\n") + "amount = 1", "'control[0].period' is wrong: Expected a month"),
        ("run = ", "The settings cannot be read: Invalid value (at"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_what_was_expected(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        settings(tmp_path, text)
    assert says in wrong.value.sentence
    assert wrong.value.file == str(tmp_path / "bedrot.toml")
    assert wrong.value.do


def test_the_digest_is_that_of_accounts_and_artists() -> None:
    rules = (
        Settings(),
        Settings(account=(AccountRule("x", "a"),)),
        Settings(account=(AccountRule("x", "a", "Nova"),)),
        Settings(artist=(ArtistRule("Nova"),)),
        Settings(artist=(ArtistRule("Nova", ("NOVA",)),)),
    )
    assert len({one.digest for one in rules}) == len(rules)
    other = Settings(control=(Control(source="x", period="2025", amount=Decimal(1)),), run=Run(3), sources=("more",))
    assert other.digest == Settings().digest


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().run = Run(3)  # type: ignore[misc]
