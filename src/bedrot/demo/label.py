"""The invented label: who it is, what it released, where it is heard; every name is made up."""

from __future__ import annotations

from collections.abc import Iterator
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
    artist: Artist
    released: date
    base: int
    share_percent: int
    discovery: bool


@dataclass(frozen=True)
class Label:
    """The label as a whole: its artists with five recordings each, and as many older ones as `scale` asks for."""

    seed: int
    scale: int
    name: str
    artists: tuple[Artist, ...]
    recordings: tuple[Recording, ...]

    def of(self, artist: Artist) -> tuple[Recording, ...]:
        """The recordings of one artist."""
        return tuple(one for one in self.recordings if one.artist == artist)

    def back_catalogue(self) -> Iterator[Recording]:
        """Recordings of an account of their own, of which only the money is known; none at scale 1, one at a time."""
        for number in range(len(self.recordings), self.scale * len(self.recordings)):
            artist = self.artists[number % len(self.artists)]
            yield _recording(self.seed, artist, number // len(self.artists), number)


def invent(seed: int, artists: int = 2, scale: int = 1) -> Label:
    """The label of a seed; `scale` says how many times as much its catalogue earns lines."""
    named = tuple(_artist(number) for number in range(artists))
    found = [_recording(seed, artist, place, 5 * at + place) for at, artist in enumerate(named) for place in range(5)]
    return Label(seed, scale, "Harbour Lane Records", named, tuple(found))


def _artist(number: int) -> Artist:
    """The artist of that number: the first changed name, the second moved to another distributor."""
    name = _ARTISTS[number] if number < len(_ARTISTS) else f"Artist {number + 1}"
    plain = name.lower().replace(" ", ".")
    former = "The Nova Tide" if number == 0 else name
    handles = (plain, f"{plain}.music") if number == 0 else (plain,)
    return Artist(name, former, handles, plain.replace(".", ""), moved=number % 2 == 1)


def _recording(seed: int, artist: Artist, place: int, number: int) -> Recording:
    """One recording: singles a few months apart; the fourth and fifth of each five are on one release."""
    chance = Chance(seed, "recording", artist.name, place)
    title = f"{chance.pick(_FIRST)} {chance.pick(_SECOND)}"
    if place == 2:
        title = _ODD[(number + place) % len(_ODD)]
    if place >= 5:
        title = f"{title} {number}"
    release = place - 1 if place % 5 == 4 else place
    days = min(110 * (release % 5) + Chance(seed, "release", artist.name, release).below(40), DAYS - 60)
    return Recording(
        number=number,
        isrc=f"QZFAK{24 + (release % 5) // 3}{number:05d}",
        upc=f"1990{number - place + release:08d}",
        title=title,
        artist=artist,
        released=FIRST_DAY + timedelta(days=days),
        base=chance.between(400, 2400),
        share_percent=50 if place % 5 == 2 else 100,
        discovery=place % 5 in (0, 3),
    )
