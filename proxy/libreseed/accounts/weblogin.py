"""Logins that a command-line client begins and a browser completes.

Source: npm's `npm-profile`. `POST /-/v1/login` returns `{loginUrl, doneUrl}`; the client opens the first in a browser
and polls the second until it returns a token.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from libreseed.errors import NotFoundError, UnavailableError

LIFETIME = 600.0
"""Seconds in which a login must be completed."""
MAX_OPEN = 1000
"""Logins under way at a time."""
MAX_OPEN_PER_ADDRESS = 50


@dataclass(slots=True)
class WebLogin:
    """A login under way. `page` is its id in the browser's URL, `done` in the client's: both are random, so that who
    sees the first cannot fetch the token.

    `client` and `address` are those of the client that began it, for the page to show; `account` is who logged in, ""
    until then; `until` is when it ends, by the clock of WebLogins.
    """

    client: str
    address: str
    creates: bool
    until: float
    page: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    done: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    account: str = ""


class WebLogins:
    """The logins under way, in memory, for 600 s each and at most 1000."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: OrderedDict[str, WebLogin] = OrderedDict()
        self._pages: dict[str, WebLogin] = {}

    def begin(self, client: str, address: str, *, creates: bool) -> WebLogin:
        """Begin a login. Raises UnavailableError when too many are open, in all or from that address."""
        self._drop_old()
        mine = sum(login.address == address for login in self._open.values())
        if len(self._open) >= MAX_OPEN or mine >= MAX_OPEN_PER_ADDRESS:
            raise UnavailableError("Too many logins are under way.", hint="Try again in some minutes.")
        login = WebLogin(client, address, creates, self._clock() + LIFETIME)
        self._open[login.done] = self._pages[login.page] = login
        return login

    def find(self, page: str) -> WebLogin:
        """Return the login with this page id that is not completed. Raises NotFoundError."""
        self._drop_old()
        login = self._pages.get(page)
        if login is None or login.account:
            raise NotFoundError("This login has ended.", hint="Begin another: npm login")
        return login

    def complete(self, login: WebLogin, account: str) -> None:
        """Complete a login for `account`."""
        login.account = account

    def take(self, done: str) -> str:
        """Return the account of a completed login, once; "" while it is not. Raises NotFoundError."""
        self._drop_old()
        login = self._open.get(done)
        if login is None:
            raise NotFoundError("This login has ended.", hint="Begin another: npm login")
        if login.account:
            self._drop(login)
        return login.account

    def _drop_old(self) -> None:
        now = self._clock()
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.until > now:
                return
            self._drop(oldest)

    def _drop(self, login: WebLogin) -> None:
        del self._open[login.done], self._pages[login.page]
