"""The tables that Linktree fills: what each column means, and how a newer answer speaks to an older one.

Linktree does not name the range of its totals. It is told by the days that stand in the same answer (those of the
socials), and null where no days do; such an answer then stands for itself, under the instant at which it was given.
Click-through rates are not kept: they are fractions here and rounded there, and follow from clicks and views.
"""

from __future__ import annotations

from bedrot.contract import Basis, Check, Field, Grain, Kind, Merge, Partition, Table

ZONE = "unknown"
"""Linktree does not say in which time zone its days begin."""

_DATE = Field("date", Kind.DATE, "The day that the figures are for.", aka=("date",), required=True, filled=True)
_PROVISIONAL = Field(
    "provisional", Kind.BOOLEAN, "Whether the day was still running when Linktree answered: its last day.", filled=True
)
_EXPORTED_DAY = Field("exported_day", Kind.DATE, "The day (UTC) on which Linktree gave the totals.", filled=True)
_RANGE = (
    Field("range_first", Kind.DATE, "First day of the range that the totals cover; null where the answer tells none."),
    Field("range_last", Kind.DATE, "Last day of the range that the totals cover; null where the answer tells none."),
    Field("range_days", Kind.INTEGER, "Number of days in the range; null where the answer tells none.", unit="days"),
    Field(
        "answered_at",
        Kind.INSTANT,
        "The instant (UTC) of an answer that does not tell its range; null where the range is known.",
    ),
)
_SCOPE = ("exported_day", "range_first", "range_last", "answered_at")


def _count(name: str, about: str, unit: str, aka: str, additive: tuple[str, ...] = ()) -> Field:
    """A count of visits, clicks or people."""
    return Field(
        name, Kind.INTEGER, about, unit=unit, aka=(aka,), basis=Basis.VISIT, additive=("account", *additive)
    )  # fmt: skip


def _not_negative(*names: str) -> tuple[Check, ...]:
    """The checks that counts are not below zero."""
    return tuple(Check(f"{name} are below zero", f"{name} < 0", "A count cannot be negative.") for name in names)


def _series(name: str, about: str, fields: tuple[Field, ...], key: tuple[str, ...], *counts: str) -> Table:
    """A table of figures by day."""
    return Table(
        name=name,
        about=about,
        fields=(_DATE, *fields, _PROVISIONAL),
        merge=Merge.SERIES,
        key=("date", *key),
        partition=Partition("date", Grain.MONTH),
        day="date",
        day_zone=ZONE,
        provisional="provisional",
        checks=_not_negative(*counts),
        fresh_days=2,
    )


def _totals(name: str, about: str, fields: tuple[Field, ...], key: tuple[str, ...], *counts: str) -> Table:
    """A table of totals over a range, as of the day of export."""
    return Table(
        name=name,
        about=about,
        fields=(_EXPORTED_DAY, *_RANGE, *fields),
        merge=Merge.SNAPSHOTS,
        key=(*_SCOPE, *key),
        scope=_SCOPE,
        partition=Partition("exported_day", Grain.MONTH),
        day="exported_day",
        day_zone="UTC",
        checks=_not_negative(*counts),
    )


DAILY = _series(
    "linktree_daily",
    "Visits to the page and clicks on it by day; days without any are there too.",
    (
        _count("views", "Views of the page.", "views", "totalViews", ("date",)),
        _count("clicks", "Clicks on the page; one view may bring several.", "clicks", "totalClicks", ("date",)),
        _count("unique_views", "Visitors of that day; never to be added over days.", "visitors", "uniqueViews"),
        _count("unique_clicks", "Visitors who clicked; never to be added over days.", "visitors", "uniqueClicks"),
    ),
    (),
    "views",
    "clicks",
    "unique_views",
    "unique_clicks",
)

SOCIALS_DAILY = _series(
    "linktree_socials_daily",
    "Clicks on the page's social icons by day. The views beside them are the lifetime total, repeated: not kept.",
    (
        Field("name", Kind.TEXT, "The icon: a network, or `email_address`.", aka=("name",), filled=True),
        _count("clicks", "Clicks on the icon.", "clicks", "clicks.total", ("date", "name")),
    ),
    ("name",),
    "clicks",
)

SUBSCRIBERS = _series(
    "linktree_subscribers",
    "How many subscribed, by day: counts only, never people.",
    (
        Field(
            "channel",
            Kind.TEXT,
            "How they subscribed; `all` is not to be added to the others.",
            aka=("subscribers", "emailSubscribers", "smsSubscribers"),
            filled=True,
            values=("all", "email", "sms"),
        ),
        _count("subscribers", "Subscribers at the end of the day; a level.", "people", "subscribersTotal"),
        _count("new_subscribers", "Subscribers won on the day.", "people", "dailyTotal", ("date",)),
        _count("clicks", "Clicks on the form to subscribe.", "clicks", "subscribersClicks", ("date",)),
    ),
    ("channel",),
    "subscribers",
    "clicks",
)

LINKS = _totals(
    "linktree_links",
    "Clicks by link over a range of days, as of the day of export; 0 where nobody clicked.",
    (
        Field("link_id", Kind.TEXT, "Linktree's number of the link.", aka=("id",), filled=True),
        _count("clicks", "Clicks on the link over the whole range.", "clicks", "clicks.total", ("link_id",)),
    ),
    ("link_id",),
    "clicks",
)

SOCIALS = _totals(
    "linktree_socials",
    "Clicks by social icon over a range of days, as of the day of export.",
    (
        Field("name", Kind.TEXT, "The icon: a network, or `email_address`.", aka=("name",), filled=True),
        _count("clicks", "Clicks on the icon over the whole range.", "clicks", "clicks.total", ("name",)),
    ),
    ("name",),
    "clicks",
)


def _visits(*along: str) -> tuple[Field, Field]:
    """Views and clicks over a range."""
    return (
        _count("views", "Views over the whole range.", "views", "views.total", along),
        _count("clicks", "Clicks over the whole range; may exceed the views.", "clicks", "clicks.total", along),
    )


REFERRERS = _totals(
    "linktree_referrers",
    "Visits by the page that they came from, as of the day of export.",
    (Field("name", Kind.TEXT, "Where they came from, as Linktree names it.", aka=("name",)), *_visits("name")),
    ("name",),
    "views",
    "clicks",
)

DEVICES = _totals(
    "linktree_devices",
    "Visits by kind of device, as of the day of export.",
    (Field("name", Kind.TEXT, "`mobile`, `desktop`, `tablet` or `other`.", aka=("name",)), *_visits("name")),
    ("name",),
    "views",
    "clicks",
)

LOCATIONS = _totals(
    "linktree_locations",
    "Visits by city and by country, as of the day of export; cities and countries are not to be added.",
    (
        Field("kind", Kind.TEXT, "Whether the row is a city or a country.", filled=True, values=("city", "country")),
        Field(
            "name",
            Kind.TEXT,
            "City or country; views without a known city stand under `Unknown`, their clicks under null.",
            aka=("name",),
        ),
        Field("country_code", Kind.TEXT, "Two letters of the country (ISO 3166-1).", aka=("countryCode",)),
        Field("latitude", Kind.DECIMAL, "Latitude of the city's middle.", unit="degrees", aka=("coordinates",)),
        Field("longitude", Kind.DECIMAL, "Longitude of the city's middle.", unit="degrees", aka=("coordinates",)),
        *_visits("name", "country_code", "latitude", "longitude"),
    ),
    ("kind", "name", "country_code", "latitude", "longitude"),
    "views",
    "clicks",
)

LIFETIME = Table(
    name="linktree_lifetime",
    about="Totals since the page exists, as of the day of export; they differ by some per cent from sums over days.",
    fields=(
        _EXPORTED_DAY,
        _count("views", "Views of the page.", "views", "views.total"),
        _count("clicks", "All clicks.", "clicks", "clicks.total"),
        _count("clicks_profile", "Clicks on links.", "clicks", "clicks.profile"),
        _count("clicks_socials", "Clicks on social icons.", "clicks", "clicks.socials"),
        _count("subscribers", "Subscribers.", "people", "subscribers.total"),
    ),
    merge=Merge.SNAPSHOTS,
    key=("exported_day",),
    scope=("exported_day",),
    partition=Partition("exported_day", Grain.MONTH),
    day="exported_day",
    day_zone="UTC",
    checks=_not_negative("views", "clicks"),
)

TITLES = Table(
    name="linktree_link_titles",
    about="What each link was called on the day of export, and whether it was shown.",
    fields=(
        _EXPORTED_DAY,
        Field("link_id", Kind.TEXT, "Linktree's number of the link.", aka=("id",), filled=True),
        Field("title", Kind.TEXT, "The link's title on the page.", aka=("title",)),
        Field("active", Kind.BOOLEAN, "Whether the link was shown.", aka=("active",)),
    ),
    merge=Merge.SNAPSHOTS,
    key=("exported_day", "link_id"),
    # An answer names only the links that were asked for, so it replaces only these.
    scope=("exported_day", "link_id"),
    partition=Partition("exported_day", Grain.MONTH),
    day="exported_day",
    day_zone="UTC",
)

ANALYTICS = (DAILY, LINKS, SOCIALS, SOCIALS_DAILY, SUBSCRIBERS, REFERRERS, LOCATIONS, DEVICES, LIFETIME, TITLES)
