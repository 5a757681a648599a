"""Each link in the pages leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page, as Markdown makes them of its headings."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def broken(page: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere; addresses of the network are not asked."""
    wrong = []
    for link in _LINK.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_broken_links_are_seen() -> None:
    page = ROOT / "README.md"
    text = "[a](docs/none.md) [b](#no-such-heading) [c](docs/concepts.md#no-such) [d](docs/concepts.md#zones)"
    assert broken(page, text) == ["docs/none.md", "#no-such-heading", "docs/concepts.md#no-such"]


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = _LINK.findall(page.read_text(encoding="utf-8"))
        ahead += [(page.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link]
    pages = {page for page in PAGES if "decisions" not in page.parts}
    assert pages <= seen, [page.name for page in pages - seen]
