"""What was really played: months are sums of days, and advertisements bring what the key says."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from bedrot.demo import plays as played
from bedrot.demo.ads import effect
from bedrot.demo.label import DAYS, FIRST_DAY, LAST_DAY, invent
from bedrot.demo.plays import Plays

LABEL = invent(7)


def test_days_of_a_cell_add_up_to_its_months_and_none_lie_outside_the_demo() -> None:
    plays, recording = Plays(LABEL), LABEL.recordings[0]
    days = [FIRST_DAY + timedelta(days=number) for number in range(-3, DAYS + 3)]
    daily = [plays.between(recording, "Spotify", "US", day, day) for day in days]
    assert sum(daily) == plays.between(recording, "Spotify", "US", date(2000, 1, 1), date(2100, 1, 1)) > 0
    assert daily[:3] == daily[-3:] == [0, 0, 0]
    assert min(daily) >= 0
    assert plays.between(recording, "Spotify", "US", LAST_DAY, FIRST_DAY) == 0


def test_campaigns_bring_the_plays_that_the_key_tells_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    advertised = {one.number: Plays(LABEL).curve(one) for one in LABEL.recordings}
    monkeypatch.setattr(played, "effect", lambda _label: ())
    plain = {one.number: Plays(LABEL).curve(one) for one in LABEL.recordings}
    for one in LABEL.recordings:
        more = [after - before for before, after in zip(plain[one.number], advertised[one.number], strict=True)]
        brought = {day: plays for each in effect(LABEL) if each.campaign.recording == one for day, plays in each.plays}
        assert [now - was for was, now in pairwise(more)] == [
            brought.get(FIRST_DAY + timedelta(days=number), 0) for number in range(DAYS)
        ]
