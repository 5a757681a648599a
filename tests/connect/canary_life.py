"""One command of bedrot as a real process, which tells all that it could: logs, and errors with the values behind them.

As a program: `<plant> <now> <command> …`. It speaks of what its libraries do at every level, shows each error and what
that came of with the variables of all frames, and lets the plant go wrong in the middle. The log-in that a person makes
in a window is made here, with what stands on the standard input.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO
from urllib.parse import parse_qs, urlsplit

import httpx
import typer

from bedrot import cli
from bedrot.commands import connect, fetch, walk
from bedrot.connect import browser, web
from bedrot.connect.browser import Browser
from bedrot.connect.discreet import Discreet
from bedrot.connect.fetch import Fetch
from bedrot.connect.vault import Session, Vault
from bedrot.connect.web import Limits

Anything = Callable[..., Any]


class Stumbled(BaseException):
    """What nobody has thought of, so that nobody handles it."""


def past_ours(stream: TextIO | None, text: str) -> None:
    """Say something past the stream that shows no secret: what is tried here is that none is said at all."""
    assert stream is not None
    stream.write(text)
    stream.flush()


def tell(wrong: BaseException) -> None:
    """An error with all that it came of, and the variables of all frames."""
    told = traceback.TracebackException.from_exception(wrong, capture_locals=True)
    past_ours(sys.__stderr__, "".join(told.format()))
    one: BaseException | None = wrong
    while one is not None:
        past_ours(sys.__stderr__, f"{one!r} {vars(one)!r}\n")
        one = one.__cause__ or one.__context__


def told_of(call: Anything) -> Anything:
    """A call whose errors are told before they go on, and so is one that it gives back."""

    def calling(*given: Any, **named: Any) -> Any:
        try:
            found = call(*given, **named)
        except (SystemExit, typer.Exit):
            raise
        except BaseException as wrong:
            tell(wrong)
            raise
        if isinstance(found, BaseException):
            tell(found)
        return found

    return calling


def listen() -> None:
    """Let every library say all that it can."""
    logging.basicConfig(level=1, stream=sys.stderr, format="%(name)s %(message)s")
    names = ["httpx", "httpcore", *(f"httpcore.{one}" for one in ("connection", "http11", "http2", "proxy", "socks"))]
    for name in [*names, "asyncio", "stamina", "playwright", "keyring", "filelock", *logging.root.manager.loggerDict]:
        logging.getLogger(name).setLevel(1)


def stop_clocks(now: datetime) -> None:
    """Let the commands take an instant for the present one."""
    clock = SimpleNamespace(now=lambda _zone: now, fromtimestamp=datetime.fromtimestamp)
    for module in (connect, fetch, walk):
        module.datetime = clock  # type: ignore[attr-defined]


def be_quick() -> None:
    """Wait less long for what does not come."""
    given = Limits.__init__.__defaults__
    assert given is not None
    Limits.__init__.__defaults__ = (24.0, *given[1:])  # type: ignore[attr-defined]


def be_a_person(typed: list[str]) -> None:
    """Log in where a window would be: name, password and a code, if there is one."""
    name, password, *codes = typed

    def act(shown: Browser) -> None:
        shown.page.get_by_label("User name").fill(name)
        shown.page.get_by_label("Password").fill(password)
        shown.page.get_by_role("button", name="Log in").click()
        for code in codes:
            shown.page.get_by_label("Code").fill(code)
            shown.page.get_by_role("button", name="Verify").click()

    log_in = connect.log_in
    connect.log_in = lambda shown, connector, _act: log_in(shown, connector, act)
    browser.Browser = lambda *given, visible: Browser(*given, visible=False)  # type: ignore[misc,assignment]

    def allow(address: str) -> None:
        base = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        with httpx.Client(follow_redirects=True, trust_env=False) as person:
            logging.disable()  # a person's own browser keeps no log of ours
            person.post(f"{base}/login", data={"username": name, "password": password})
            asked = {key: one[0] for key, one in parse_qs(urlsplit(address).query).items()}
            person.post(f"{base}/oauth/authorize", data=asked | {"allow": "yes"})
            logging.disable(logging.NOTSET)

    connect._show = allow


def secret_of(session: Session) -> str:
    """What of a log-in would be worth stealing."""
    text = session.secret.decode()
    if session.kind == "browser":
        return str(json.loads(text)["cookies"][0]["value"])
    return str(json.loads(text)["access"]) if text.startswith("{") else text


# ---- what goes wrong, or is done wrongly ----


def in_the_middle(act: Callable[[Any, str], object]) -> None:
    """Let something happen as soon as the service has answered first; it gets the connector's own means."""
    once, opened, asked = web.Web._once, Browser.open, Fetch._asked
    current = SimpleNamespace(session=None, done=False)

    def happens(means: Any) -> None:
        if not current.done:
            current.done = True
            act(means, secret_of(current.session))

    def asking(self: Fetch, connector: Any, places: Any, session: Session, *rest: Any) -> Any:
        current.session = session
        return asked(self, connector, places, session, *rest)

    async def answered(self: web.Web, *given: Any) -> Any:
        reply = await once(self, *given)
        happens(self)
        return reply

    def shown(self: Browser, url: str) -> Any:
        page = opened(self, url)
        happens(self)
        return page

    Fetch._asked, web.Web._once, Browser.open = asking, answered, shown  # type: ignore[method-assign]


def crash(_means: Any, secret: str) -> None:
    local = f"Bearer {secret}"
    raise Stumbled(f"nobody thought of {len(local)} characters")


def crash_with_words(_means: Any, secret: str) -> None:
    raise Stumbled(f"cannot read 'Bearer {secret}'") from UnicodeEncodeError("ascii", f"Bearer {secret}", 7, 8, "no")


def crash_on_disk(_means: Any, secret: str) -> None:
    raise OSError(5, "Input/output error", f"/tmp/{secret}")  # noqa: S108


def log(_means: Any, secret: str) -> None:
    logging.getLogger("a.connector").debug("asking with %s", secret)


def log_coded(_means: Any, secret: str) -> None:
    logging.getLogger("a.connector").debug("asking with %s", base64.b64encode(f"Basic me:{secret}".encode()).decode())


def leave(_means: Any, secret: str) -> None:
    with tempfile.NamedTemporaryFile("w", delete=False) as left:
        left.write(secret)


def start(_means: Any, secret: str) -> None:
    subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)", secret], check=True)


def pass_on(_means: Any, secret: str) -> None:
    env = {**os.environ, "TOKEN": secret}
    subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)"], check=True, env=env)


def keep_state(means: Any, _secret: str) -> None:
    means._context.storage_state(path=Path("state.json"))


def print_it(_means: Any, secret: str) -> None:
    past_ours(sys.__stdout__, f"asking with {secret}\n")


def put_into_lake(_means: Any, secret: str) -> None:
    (Path(os.environ["BEDROT_LAKE"]) / "raw" / f"{secret}.json").write_text("{}")


def keep_key() -> None:
    """The key stays in the environment."""
    key, opened = os.environ["BEDROT_VAULT_KEY"], connect.open_own_vault

    def keeping() -> Any:
        vault = opened()
        os.environ["BEDROT_VAULT_KEY"] = key
        return vault

    connect.open_own_vault = fetch.open_own_vault = keeping


def keep_traces() -> None:
    """What drives the browser tells what it is told."""
    os.environ["DEBUG"] = "pw:*"


def break_vault() -> None:
    """The disk fails while the vault holds a log-in in its hands, and says what it was to write."""

    def breaking(_self: Vault, session: Session) -> None:
        local = f"Bearer {secret_of(session)}"
        raise OSError(5, f"Input/output error after {len(local)} letters", f"/tmp/{secret_of(session)}")  # noqa: S108

    Vault.put = breaking  # type: ignore[method-assign]


def break_trade() -> None:
    """The way to the service breaks while what a person pasted is traded for a token."""

    async def breaking(_self: web.Web, _method: str, _url: str, form: dict[str, str], *_: object) -> None:
        local = dict(form)
        raise Stumbled(f"cannot send {local['client_secret']}")

    web.Web._once = breaking  # type: ignore[method-assign,assignment]


def show_locals() -> None:
    """Errors go on as they are."""
    Discreet.__exit__ = lambda *_: None  # type: ignore[method-assign]


def tell_headers() -> None:
    """Libraries may speak of headers."""
    web.hush = lambda: None  # type: ignore[attr-defined]


IN_THE_MIDDLE: dict[str, Callable[[Any, str], object]] = {
    one.__name__: one
    for one in (
        crash, crash_with_words, crash_on_disk, log, log_coded, leave, start, pass_on, keep_state, print_it,
        put_into_lake,
    )
}  # fmt: skip
AT_FIRST: dict[str, Callable[[], object]] = {
    "": lambda: None,
    **{one.__name__: one for one in (break_trade, break_vault, keep_key, keep_traces, show_locals, tell_headers)},
}


def main(plants: str, now: str, *command: str) -> None:
    listen()
    be_quick()
    stop_clocks(datetime.fromisoformat(now).astimezone(UTC))
    for plant in plants.split("+"):
        (AT_FIRST.get(plant) or partial(in_the_middle, IN_THE_MIDDLE[plant]))()
    if command[0] == "login" and (typed := json.loads(sys.stdin.readline())):
        be_a_person(typed)
    Fetch._tried = told_of(Fetch._tried)  # type: ignore[method-assign]
    cli.app = told_of(cli.app)  # type: ignore[assignment]
    sys.argv = ["bedrot", *command]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
