"""What the frame around every page needs to know, as plain data.

``portal/base.html`` reads one context variable, ``shell``, a ``Shell``. A context processor of the
composition root makes it from the request; the portal itself asks nobody. Only what is in the lists is
rendered, so a link that a person may not use is never shown. Words (titles, kinds, badges) come translated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from portal.icons import IconName

Area = Literal["tenant", "provider", ""]
Theme = Literal["light", "dark", ""]
FreshnessState = Literal["fresh", "late", "never"]
BadgeTone = Literal["", "due"]

THEME_COOKIE = "theme"
THEME_COOKIE_AGE_S = 31_536_000


@dataclass(frozen=True, slots=True)
class NavItem:
    """One link of the side bar.

    ``key`` is what ``Shell.current`` names. ``badge`` is a count as text; ``badge_words`` says what is
    counted ("2 overdue") to those who cannot see its colour. ``go`` is the letter that follows ``g`` on the
    keyboard.
    """

    key: str
    title: str
    url: str
    icon: IconName
    badge: str = ""
    badge_tone: BadgeTone = ""
    badge_words: str = ""
    go: str = ""


@dataclass(frozen=True, slots=True)
class NavGroup:
    """Links under one heading; a group without items is not shown."""

    title: str
    items: tuple[NavItem, ...]


@dataclass(frozen=True, slots=True)
class Organization:
    """The organization in whose name the person acts; ``kind`` is a translated word: Tenant, Provider."""

    name: str
    kind: str

    @property
    def initial(self) -> str:
        """The letter on its badge."""
        return self.name[:1].upper()


@dataclass(frozen=True, slots=True)
class OrganizationChoice:
    """One line of the organization switcher; a POST to `url` reads on as that organization."""

    name: str
    kind: str
    url: str
    area: Area
    current: bool = False

    @property
    def initial(self) -> str:
        """The letter on its badge."""
        return self.name[:1].upper()


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far metering has come for what this page can show.

    ``fresh``: up to ``metered_to`` (UTC), as it should be. ``late``: nothing is in since ``metered_to``,
    which is shown with its date and never as zero use. ``never``: nothing was metered yet, ``metered_to``
    is ``None``.
    """

    state: FreshnessState
    metered_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in. ``links`` are the entries of their menu above "Sign out"."""

    name: str
    email: str
    links: tuple[NavItem, ...] = ()

    @property
    def initials(self) -> str:
        """Two letters for the badge: of the first and the last name, or of the e-mail address without a
        name.
        """
        return initials(self.name or self.email)


@dataclass(frozen=True, slots=True)
class Shell:
    """The frame of one page.

    ``current`` is the key of the navigation item that the page belongs to. ``freshness`` is ``None`` on
    pages that show nothing metered. ``language`` is Django's language code.
    """

    area: Area = ""
    organization: Organization | None = None
    organizations: tuple[OrganizationChoice, ...] = ()
    navigation: tuple[NavGroup, ...] = ()
    current: str = ""
    freshness: Freshness | None = None
    person: Person | None = None
    theme: Theme = ""
    language: str = "en"

    @property
    def trail(self) -> tuple[str, ...]:
        """Group and item of the current page, for pages that give no crumbs of their own."""
        for group in self.navigation:
            for item in group.items:
                if item.key == self.current:
                    return (group.title, item.title) if group.title else (item.title,)
        return ()

    @property
    def shortcuts(self) -> tuple[NavItem, ...]:
        """The links that a key reaches."""
        return tuple(item for group in self.navigation for item in group.items if item.go)


@dataclass(frozen=True, slots=True)
class Crumb:
    """One step above a page; the last one has no ``url`` and is the page itself."""

    title: str
    url: str = ""


def initials(name: str) -> str:
    """Two letters at most: "Mei Ling" is ML, "mei@example.com" is M, a Chinese name is its last two
    characters.
    """
    words = name.partition("@")[0].replace(".", " ").split()
    if not words:
        return ""
    if len(words) == 1:
        return words[0][-2:] if ord(words[0][0]) > 0x2E80 else words[0][0].upper()
    return (words[0][0] + words[-1][0]).upper()


def theme_of(cookie: str) -> Theme:
    """The theme a cookie asks for; anything unknown follows the reader's system."""
    if cookie == "light":
        return "light"
    return "dark" if cookie == "dark" else ""


def without_empty(groups: Sequence[NavGroup]) -> tuple[NavGroup, ...]:
    """The groups that hold at least one link."""
    return tuple(group for group in groups if group.items)
