"""What a changed page or answer looked like, for a report: its build, without what it says about anybody.

Nothing is taken away from a whole: only what is listed here is taken over. Of a page the elements with their names and
roles, and the words on what can be pressed; of an answer the keys, and of which kind each value is. What then still
looks like an address, a number or a token is blotted out, and so is everything that is known to be secret.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from bedrot.lake import disk
from bedrot.lake.sealed import stamp

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from bedrot.connect.browser import Browser
    from bedrot.connect.web import Web

_KEPT = 10
"""So many captures of a source stay; older ones go."""
_LINES = 2_000
_WORDS = 80
"""So much of a text is kept, after secrets were blotted out: one that is cut would not be known any more."""
_ANSWERS = 5
_BLOT = "…"
_ADDRESS = re.compile(r"[^\s@<>\"'=]+(?:@|%40)[^\s@<>\"'=]+")
_TOKEN = re.compile(r"(?=[\w.+/=~%-]*\d)[\w.+/=~%-]{16,}|[\w.+/=~%-]{40,}")
_DIGIT = re.compile(r"\d")
_SHORTEST = 6
_BEGIN = 3
_LAYERS = 4
"""So often something may be put into a text that is itself put into a text; a quoted one counts too."""
_OPENS = ("{", "[", '"')
_FORM = re.compile(r"[\w.~-]+=[^&=\s]+(&[\w.~-]+=[^&=\s]*)*")
_BASE64 = re.compile(r"[\w+/-]{8,}={0,2}", re.ASCII)
_URL_SAFE = str.maketrans("-_", "+/")
_ATTRIBUTES = ["id", "name", "type", "role", "for", "class", "href", "action", "aria-label", "data-testid", "data-test"]
_WORDY = ["a", "button", "label", "option", "th", "legend", "summary", "h1", "h2", "h3", "title", "dt"]
_ROLES = ["button", "tab", "option", "radio", "link", "menuitem"]
_OUTLINE = """
([attributes, wordy, roles, most]) => {
  const lines = [];
  const walk = (one, depth) => {
    const tag = one.tagName.toLowerCase();
    if (lines.length >= most || ["script", "style", "noscript", "svg"].includes(tag)) return;
    const said = attributes.filter(name => one.hasAttribute(name)).map(name => [name, one.getAttribute(name)]);
    const own = [...one.childNodes].filter(node => node.nodeType === 3).map(node => node.textContent).join(" ").trim();
    const pressed = one.hasAttribute("onclick") || getComputedStyle(one).cursor === "pointer";
    const told = pressed || wordy.includes(tag) || roles.includes(one.getAttribute("role"));
    lines.push([depth, tag, said, told ? own.slice(0, 2000) : (own ? "*" : "")]);
    for (const child of one.children) walk(child, depth + 1);
  };
  walk(document.documentElement, 0);
  return lines;
}
"""


@dataclass
class Capture:
    """What was seen when a service had changed; `secrets` are blotted out wherever they would stand."""

    secrets: Sequence[str] = field(default=(), repr=False)
    parts: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._forms = _forms(self.secrets)

    def page(self, page: Page) -> None:
        """Take over the build of the page that is shown."""
        lines = page.evaluate(_OUTLINE, [_ATTRIBUTES, _WORDY, _ROLES, _LINES])
        self._add(f"The page {self._path(page.url)}", "\n".join(map(self._line, lines)))

    def asked(self, requests: Iterable[tuple[str, int]]) -> None:
        """Take over what was asked for: paths, and the status that each got."""
        self._add("Asked", "\n".join(f"{status} {self._path(url)}" for url, status in requests))

    def answer(self, url: str, body: bytes) -> None:
        """Take over the build of an answer: keys, and kinds of values."""
        try:
            told = msgspec.json.format(msgspec.json.encode(_shape(msgspec.json.decode(body))), indent=1).decode()
        except (msgspec.DecodeError, RecursionError):
            told = f"{len(body):,} bytes that are not JSON"
        self._add(f"The answer of {self._path(url)}", "\n".join(map(self._blotted, told.splitlines()[:_LINES])))

    def browser(self, browser: Browser) -> None:
        """Take over what a browser shows and got."""
        from playwright.sync_api import Error  # noqa: PLC0415  who asks over HTTP needs no browser installed

        with suppress(Error):  # the page may be what hangs
            self.page(browser.page)
        self.asked((one.url, one.status) for one in browser.answers)
        told = [one for one in browser.answers if "json" in one.headers.get("content-type", "")]
        for one in told[-_ANSWERS:]:
            self.answer(one.url, browser.body(one))

    def web(self, web: Web) -> None:
        """Take over what was answered over HTTP."""
        self.asked((url, reply.status) for url, reply in web.seen)
        for url, reply in web.seen:
            self.answer(url, reply.body)

    def write(self, folder: Path, source: str, at: datetime) -> Path:
        """Keep it as a text file; the oldest ones of that source go."""
        disk.make_folder(folder)
        path = folder / f"{source}-{stamp(at)}.txt"
        text = "\n\n".join(f"== {title}\n{told}" for title, told in self.parts)
        disk.put_text(path, text + "\n", replace=True, read_only=False)
        for old in sorted(folder.glob(f"{source}-*.txt"))[:-_KEPT]:
            disk.remove(old)
        return path

    def _add(self, title: str, told: str) -> None:
        self.parts.append((title, told))

    def _path(self, url: str) -> str:
        return self._blotted(urlsplit(url).path)

    def _blotted(self, text: str) -> str:
        return _redacted(text, self._forms)

    def _line(self, told: tuple[int, str, list[tuple[str, str]], str]) -> str:
        """One element of a page as text; a link's address without its query."""
        depth, tag, attributes, words = told
        said = [
            f'{name}="{self._path(value) if name in {"href", "action"} else self._blotted(value)[:_WORDS]}"'
            for name, value in attributes
        ]
        return f"{' ' * depth}{' '.join([tag, *said])}{f': {self._blotted(words)[:_WORDS]}' if words else ''}"


def secrets_of(kept: bytes) -> list[str]:
    """All texts of a log-in, as the vault keeps it, that are long enough to be told from common words.

    Also those inside of a text that is JSON itself, quoted for a URL or in base64, and so on for some layers.
    """
    whole = _document(kept)
    waiting: list[tuple[object, int]] = [
        (whole if isinstance(whole, dict | list) else kept.decode(errors="replace"), 0)
    ]
    found: dict[str, None] = {}
    while waiting:
        value, layer = waiting.pop()
        if isinstance(value, dict | list):
            waiting += [(one, layer) for one in (value.values() if isinstance(value, dict) else value)]
        elif isinstance(value, str) and len(value) >= _SHORTEST and value not in found:
            found[value] = None
            if layer < _LAYERS:
                waiting += [(one, layer + 1) for one in _within(value)]
    return list(found)


def _within(text: str) -> Iterator[object]:
    """What a text holds that was put into it: JSON, what was quoted for a URL, or JSON in base64."""
    if "%" in text:
        yield unquote(text)
    plain = text.removeprefix("j:").removeprefix("base64-")  # as common libraries mark what they put into cookies
    if plain[:1] in _OPENS:
        yield _document(plain.encode(errors="replace"))
    elif _FORM.fullmatch(plain):
        yield [value for _, value in parse_qsl(plain)]
    elif _BASE64.fullmatch(plain):
        with suppress(ValueError):
            coded = plain.rstrip("=").translate(_URL_SAFE)
            told = b64decode(coded + "=" * (-len(coded) % 4))
            yield _document(told) if told[:1].decode(errors="replace") in _OPENS else None


def _document(told: bytes) -> object:
    """A JSON document; None where it is none."""
    with suppress(msgspec.DecodeError, RecursionError):
        return msgspec.json.decode(told)
    return None


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without secrets (plain, quoted for a URL, in base64), addresses, tokens and digits."""
    return _redacted(text, _forms(secrets))


def _forms(secrets: Iterable[str]) -> dict[str, list[str]]:
    """The forms in which secrets may stand somewhere, by how they begin: there may be thousands of them."""
    found: dict[str, list[str]] = {}
    for secret in {one for one in secrets if one}:
        plain = secret.encode(errors="replace")
        for form in {secret, quote(plain, safe=""), *(_middle(plain, shift) for shift in range(3))}:
            if len(form) >= _BEGIN:
                found.setdefault(form[:_BEGIN], []).append(form)
    return found


def _redacted(text: str, forms: Mapping[str, Sequence[str]]) -> str:
    """The text without what is in one of the forms, addresses, tokens and digits."""
    kept, end = list[str](), 0
    for place, letter in enumerate(text):
        for form in forms.get(text[place : place + _BEGIN], ()):
            if text.startswith(form, place):
                kept += [_BLOT] if place >= end else []
                end = max(end, place + len(form))
        kept += [letter] if place >= end else []
    text = "".join(kept)
    for pattern, instead in ((_ADDRESS, _BLOT), (_TOKEN, _BLOT), (_DIGIT, "0")):
        text = pattern.sub(instead, text)
    return text


def _middle(secret: bytes, shift: int) -> str:
    """The part of a secret's base64 that does not depend on what stands around it, at one of three places."""
    coded = b64encode(b"\0" * shift + secret).decode().rstrip("=")
    return coded[(shift * 8 + 5) // 6 : len(coded) - (1 if (len(secret) + shift) % 3 else 0)]


def _shape(value: Any) -> Any:
    """A JSON value with the kind of each value in its place; of a list the first element, and how many there are."""
    if isinstance(value, dict):
        return {key: _shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shape(value[0]), f"{len(value)} in all"] if value else []
    kinds = {bool: "yes or no", int: "number", float: "number", str: "text"}
    return None if value is None else kinds.get(type(value), "text")
