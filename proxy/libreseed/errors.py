"""The one exception tree. Each error says what happened and why (`message`) and the way out (`hint`)."""


class LibreseedError(Exception):
    """Base of everything that LibreSeed raises on purpose.

    `message` names the thing and the reason; `hint` tells the user what to do about it (may be empty).
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(LibreseedError):
    """A setting, flag, environment variable or configuration file is wrong."""


class InvalidInputError(LibreseedError):
    """Input from a user, client or peer that does not follow its format."""


class TooLargeError(InvalidInputError):
    """Input of more bytes than are taken."""


class NotFoundError(LibreseedError):
    """Everybody who can know was asked and said: there is no such thing."""


class UnavailableError(LibreseedError):
    """No answer in time, or a fault on the other side; asking again later may help.

    `wait` is after how many seconds, where that is known, else 0.
    """

    def __init__(self, message: str, *, hint: str = "", wait: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.wait = wait


class ConflictError(LibreseedError):
    """What is asked for contradicts what is there, such as a version published twice."""


class UnauthorizedError(LibreseedError):
    """No credentials, or wrong ones. `challenge` is what is asked for, as the header `WWW-Authenticate` names it."""

    def __init__(self, message: str, *, hint: str = "", challenge: str = "Bearer") -> None:
        super().__init__(message, hint=hint)
        self.challenge = challenge


class ForbiddenError(LibreseedError):
    """The credentials or the policy do not allow it."""


class StoreError(LibreseedError):
    """The disk or the database failed, or holds something damaged."""


class IntegrityError(LibreseedError):
    """Bytes do not have the hash, length or form that was promised for them."""


class SwarmError(LibreseedError):
    """The BitTorrent session or a torrent failed."""


class NetworkError(LibreseedError):
    """The overlay could not start, or a message could not be sent."""


class TrustError(LibreseedError):
    """Base of every refusal by the trust rules."""


class BadSignatureError(TrustError):
    """The signature does not belong to these bytes and this key."""


class BadRecordError(TrustError):
    """A record that is signed but malformed: its type, a field or a size is wrong."""


class WrongNameError(TrustError):
    """A record that was signed for another name."""


class RollbackError(TrustError):
    """A record older than one already seen from the same publisher."""


class EquivocationError(TrustError):
    """Two different records with the same sequence number from the same publisher."""


class FastForwardError(TrustError):
    """A record with a sequence number too far in the future."""


class ExpiredError(TrustError):
    """A record whose signed expiry has passed."""


class UnknownPublisherError(TrustError):
    """Nobody that the user trusts owns this name."""
