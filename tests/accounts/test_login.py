import pytest

from libreseed.accounts.attempts import BURST, Attempts
from libreseed.accounts.login import Login
from libreseed.accounts.secondfactor import SecondFactors
from libreseed.errors import ConflictError, ForbiddenError, InvalidInputError, UnauthorizedError
from libreseed.store.database import Database
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.second_factors import SecondFactorStore

HERE = "192.0.2.1"


class Passwords(AccountStore):
    """An account store in which `secret` is everybody's password, since the real hash is slow on purpose."""

    async def check_password(self, name: str, password: str) -> None:
        if password != "secret":
            raise UnauthorizedError("Wrong.")


@pytest.fixture
def login(database: Database) -> Login:
    return Login(Passwords(database), SecondFactors(SecondFactorStore(database), Attempts()))


async def test_passwords_cannot_be_guessed(login: Login) -> None:
    for number in range(BURST):
        await login.check_password("ann", "secret", HERE)
        with pytest.raises(UnauthorizedError):
            await login.check_password("ann", "wrong", f"192.0.2.{number}")
    with pytest.raises(ForbiddenError, match="Too many"):
        await login.check_password("ann", "secret", "198.51.100.1")
    await login.check_password("bob", "secret", HERE)


async def test_nor_from_one_address_for_many_accounts(login: Login) -> None:
    for number in range(5 * BURST):
        with pytest.raises(UnauthorizedError):
            await login.check_password(f"name{number}", "wrong", HERE)
    with pytest.raises(ForbiddenError, match="Too many"):
        await login.check_password("ann", "secret", HERE)
    await login.check_password("ann", "secret", "198.51.100.1")


async def test_new_accounts(database: Database) -> None:
    accounts = AccountStore(database)
    login = Login(accounts, SecondFactors(SecondFactorStore(database), Attempts()))
    with pytest.raises(ForbiddenError, match="on the machine"):
        await login.sign_up("ann", "secret", local=False)
    for name in ("", "$all", ".x", "a b", "a/b", "a:b", "ü", "x" * 65):
        with pytest.raises(InvalidInputError):
            await login.sign_up(name, "secret", local=True)
    for password in ("", "x" * 1025):
        with pytest.raises(InvalidInputError):
            await login.sign_up("ann", password, local=True)
    await login.sign_up("ann", "secret", "ann@example.test", local=True)
    assert (await accounts.find("ann")).profile == {"email": "ann@example.test"}
    await login.log_in("ann", "secret", "", HERE)
    with pytest.raises(ConflictError):
        await login.sign_up("ann", "other", local=True)
