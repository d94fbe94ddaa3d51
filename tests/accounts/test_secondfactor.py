import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from libreseed.accounts.attempts import Attempts
from libreseed.accounts.secondfactor import SecondFactors
from libreseed.accounts.totp import STEP, code_at
from libreseed.errors import ForbiddenError, InvalidInputError, UnauthorizedError
from libreseed.store.database import Database
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.second_factors import SecondFactorStore

NOW = 1_800_000_000


class Person:
    """ann with her authenticator; `at` is the step that its clock shows, from one step ago on."""

    def __init__(self, factors: SecondFactors) -> None:
        self.factors = factors
        self.secret = b""
        self.step = NOW // STEP - 1

    def code(self) -> str:
        """Return the next code."""
        self.step += 1
        return code_at(self.secret, self.step - 1)

    async def begin(self) -> None:
        url = await self.factors.begin("ann", "auth-and-writes")
        assert url is not None
        self.secret = base64.b32decode(parse_qs(urlsplit(url).query)["secret"][0])


@pytest.fixture
async def ann(database: Database) -> Person:
    await AccountStore(database).create("ann", "secret")
    return Person(SecondFactors(SecondFactorStore(database), Attempts(5), lambda: NOW))


async def refused(ann: Person, code: str, holder: str = "key", *, writing: bool = False) -> str:
    with pytest.raises(UnauthorizedError) as caught:
        await ann.factors.check("ann", code, holder, writing=writing)
    return caught.value.challenge


async def test_nothing_is_asked_for_until_a_first_code_was_right(ann: Person) -> None:
    await ann.factors.check("ann", "", "key")
    await ann.begin()
    await ann.factors.check("ann", "", "key")
    with pytest.raises(UnauthorizedError):
        await ann.factors.confirm("ann", "000000", "key")
    await ann.factors.check("ann", "", "key")
    assert len(await ann.factors.confirm("ann", ann.code(), "key")) == 5
    assert await refused(ann, "") == "OTP"
    with pytest.raises(InvalidInputError):
        await ann.factors.confirm("ann", ann.code(), "key")


async def test_a_code_counts_once(ann: Person) -> None:
    await ann.begin()
    first = ann.code()
    await ann.factors.confirm("ann", first, "key")
    await ann.factors.check("ann", first, "key")
    for holder in ("other key", ""):
        assert await refused(ann, first, holder) == "OTP"
    second = ann.code()
    await ann.factors.check("ann", second, "")
    assert await refused(ann, second, "") == "OTP"
    assert await refused(ann, first) == "OTP", "an older one than the last"


async def test_modes(ann: Person) -> None:
    await ann.begin()
    await ann.factors.confirm("ann", ann.code(), "key")
    assert await refused(ann, "", writing=True) == "OTP"
    assert await ann.factors.begin("ann", "auth-only") is None
    await ann.factors.check("ann", "", "key", writing=True)
    assert await refused(ann, "") == "OTP"
    await ann.factors.remove("ann")
    await ann.factors.check("ann", "", "key")


async def test_recovery_codes_count_once(ann: Person) -> None:
    await ann.begin()
    codes = await ann.factors.confirm("ann", ann.code(), "key")
    await ann.factors.check("ann", codes[0], "")
    assert await refused(ann, codes[0]) == "OTP"
    await ann.factors.check("ann", codes[1], "")


async def test_codes_cannot_be_guessed(ann: Person) -> None:
    await ann.begin()
    await ann.factors.confirm("ann", ann.code(), "key")
    for _ in range(5):
        await refused(ann, "000000x")
    with pytest.raises(ForbiddenError, match="Too many"):
        await ann.factors.check("ann", ann.code(), "key")
