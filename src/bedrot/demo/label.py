"""The invented label: who it is, what it released, where it is heard; every name is made up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from bedrot.demo.chance import Chance

FIRST_DAY = date(2024, 9, 1)
LAST_DAY = date(2026, 3, 15)
"""The day on which the demo is told: nothing in it is later."""
DAYS = (LAST_DAY - FIRST_DAY).days + 1

_ARTISTS = ("Nova Tides", "Mara Quell", "Pale Harbour", "Ivo Lantern", "Sister Static", "Low Meridian")
_FIRST = ("Glass", "Paper", "Velvet", "Copper", "Silver", "Hollow", "Quiet", "Northern", "Borrowed", "Electric", "Wild")
_SECOND = (
    "Harbour",
    "Weather",
    "Machine",
    "Orchard",
    "Signal",
    "Winter",
    "Garden",
    "Engine",
    "Mirror",
    "Coast",
    "Hour",
)
_ODD = ("Fjärde Våningen", "Salt, Sand (feat. Ivo Lantern)", "Corazón de Papel")


@dataclass(frozen=True)
class Artist:
    """An artist of the label; `handles` are the TikTok handles, the newest last, `page` the name of the link page."""

    name: str
    former_name: str
    handles: tuple[str, ...]
    page: str
    moved: bool


@dataclass(frozen=True)
class Recording:
    """A recording and the release it is on; `base` is its plays on a good day, over all stores and countries."""

    number: int
    isrc: str
    upc: str
    title: str
    album: str
    artist: Artist
    released: date
    base: int
    share_percent: int
    discovery: bool


@dataclass(frozen=True)
class Label:
    """The label as a whole; `seed` and `scale` make it all there is to know."""

    seed: int
    scale: int
    name: str
    artists: tuple[Artist, ...]
    recordings: tuple[Recording, ...]

    def of(self, artist: Artist) -> tuple[Recording, ...]:
        """The recordings of one artist."""
        return tuple(one for one in self.recordings if one.artist == artist)


def invent(seed: int, artists: int = 2, scale: int = 1) -> Label:
    """The label of a seed: two artists by default, five recordings each; `scale` multiplies the recordings."""
    named = tuple(_artist(number) for number in range(artists))
    found: list[Recording] = []
    for artist in named:
        for place in range(5 * scale):
            found.append(_recording(seed, artist, place, len(found)))
    return Label(seed, scale, "Harbour Lane Records", named, tuple(found))


def _artist(number: int) -> Artist:
    """The artist of that number: the first changed name, the second moved to another distributor."""
    name = _ARTISTS[number] if number < len(_ARTISTS) else f"Artist {number + 1}"
    plain = name.lower().replace(" ", ".")
    former = "The Nova Tide" if number == 0 else name
    handles = (plain, f"{plain}.music") if number == 0 else (plain,)
    return Artist(name, former, handles, plain.replace(".", ""), moved=number % 2 == 1)


def _recording(seed: int, artist: Artist, place: int, number: int) -> Recording:
    """One recording: singles a few months apart; the fourth and fifth of each ten are on one release."""
    chance = Chance(seed, "recording", artist.name, place)
    title = f"{chance.pick(_FIRST)} {chance.pick(_SECOND)}"
    if place < len(_ODD) and number >= place:
        title = _ODD[(number + place) % len(_ODD)] if place == 2 else title
    if place > 5:
        title = f"{title} {place}"
    release = place - 1 if place % 5 == 4 else place
    days = min(110 * (release % 5) + Chance(seed, "release", artist.name, release).below(40), DAYS - 60)
    return Recording(
        number=number,
        isrc=f"QZFAK{24 + (release % 5) // 3}{number:05d}",
        upc=f"1990{number - place + release:08d}",
        title=title,
        album=f"{title} (Single)",
        artist=artist,
        released=FIRST_DAY + timedelta(days=days),
        base=chance.between(400, 2400),
        share_percent=50 if place % 5 == 2 else 100,
        discovery=place % 5 in (0, 3),
    )
