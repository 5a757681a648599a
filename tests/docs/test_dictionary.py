"""The dictionary is complete, and says what contracts and marts say."""

from __future__ import annotations

import pytest
from console import ROOT

from bedrot import errors
from bedrot.contract import Kind
from bedrot.sources import find_sources, folder_of
from bedrot.tell.dictionary import Entry, dictionary, dictionary_page, find_entry
from bedrot.tell.manual import exit_codes_page, sources_page

SOURCES = find_sources()
ENTRIES = dictionary(SOURCES)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("reference/dictionary.md", lambda: dictionary_page(ENTRIES)),
        ("sources.md", lambda: sources_page(SOURCES)),
        ("exit-codes.md", exit_codes_page),
    ],
    ids=["dictionary", "sources", "exit codes"],
)
def test_the_generated_pages_are_those_of_the_code(page: str, text: object) -> None:
    assert callable(text)
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == text(), "run: python docs/generate.py"


def test_every_table_and_every_field_has_a_word() -> None:
    for source in SOURCES:
        for table in (table for feed in source.feeds for table in feed.tables):
            entry = find_entry(ENTRIES, table.name)
            assert entry is not None
            assert [one.name for one in entry.words] == [*table.columns, "_delivery", "_locator"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_word_says_what_it_is(entry: Entry) -> None:
    assert entry.about.endswith(".")
    for word in entry.words:
        assert word.about.endswith("."), word.name
        assert not word.along or word.unit, f"{word.name} may be summed, but has no unit"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_sums_are_along_columns_of_the_table(entry: Entry) -> None:
    names = {word.name for word in entry.words}
    for word in entry.words:
        assert set(word.along) <= names, word.name


def test_money_says_its_currency() -> None:
    for source in SOURCES:
        for table in (table for feed in source.feeds for table in feed.tables):
            for field in table.fields:
                if field.kind is Kind.MONEY:
                    assert field.unit in {*table.columns, "USD", "EUR"}, f"{table.name}.{field.name}"


def test_a_dictionary_without_a_word_is_seen() -> None:
    text = dictionary_page(ENTRIES)
    assert text != dictionary_page(ENTRIES[1:])
    assert "`earnings`" in text
    assert "`Earnings (USD)`" in text
    assert find_entry(ENTRIES, "no_such_table") is None


def test_every_source_tells_how_to_get_its_files_and_what_is_not_verified() -> None:
    for source in SOURCES:
        text = (folder_of(source) / "about.md").read_text(encoding="utf-8")
        for heading in ("### How to get the file", "### Traps handled", "### Not verified here"):
            assert heading in text, source.name


def test_every_error_is_on_the_page_of_exit_codes() -> None:
    page = exit_codes_page()
    for found in (errors.Refused, errors.Busy, errors.Misconfigured):
        assert f"| `{found.__name__}` | {found.exit_code} |" in page
