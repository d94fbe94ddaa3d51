import pytest

from libreseed.accounts.weblogin import LIFETIME, MAX_OPEN, MAX_OPEN_PER_ADDRESS, WebLogins
from libreseed.errors import NotFoundError, UnavailableError
from support.clock import Clock


def test_the_token_is_for_who_began() -> None:
    logins = WebLogins()
    login, other = (logins.begin("npm/11", "127.0.0.1", creates=False) for _ in range(2))
    assert len({login.page, login.done, other.page, other.done}) == 4
    assert logins.find(login.page) is login
    assert logins.take(login.done) == ""
    for wrong in (login.page, "", "x"):
        with pytest.raises(NotFoundError):
            logins.take(wrong)
    with pytest.raises(NotFoundError):
        logins.find(login.done)
    logins.complete(login, "ann")
    with pytest.raises(NotFoundError):
        logins.find(login.page)
    assert logins.take(login.done) == "ann"
    with pytest.raises(NotFoundError):
        logins.take(login.done)
    assert logins.take(other.done) == ""


def test_logins_end() -> None:
    clock = Clock()
    logins = WebLogins(clock)
    login = logins.begin("", "", creates=False)
    done = logins.begin("", "", creates=False)
    logins.complete(done, "ann")
    clock.now = LIFETIME - 1
    young = logins.begin("", "", creates=False)
    clock.now = LIFETIME
    for ask in (lambda: logins.find(login.page), lambda: logins.take(login.done), lambda: logins.take(done.done)):
        with pytest.raises(NotFoundError):
            ask()
    assert logins.find(young.page) is young


def test_their_number_is_bounded() -> None:
    clock = Clock()
    logins = WebLogins(clock)
    for _ in range(MAX_OPEN_PER_ADDRESS):
        logins.begin("", "192.0.2.1", creates=False)
    with pytest.raises(UnavailableError):
        logins.begin("", "192.0.2.1", creates=False)
    for number in range(MAX_OPEN - MAX_OPEN_PER_ADDRESS):
        logins.begin("", str(number), creates=False)
    with pytest.raises(UnavailableError):
        logins.begin("", "192.0.2.2", creates=False)
    clock.now = LIFETIME
    logins.begin("", "192.0.2.1", creates=False)
