"""Whom the user trusts: pins of names to publishers, and mirrors. Fails closed."""

from dataclasses import dataclass, replace

import orjson

from libreseed.errors import ConflictError, InvalidInputError, NotFoundError
from libreseed.packages.names import check_pattern, matches
from libreseed.trust.keys import format_key, parse_key


@dataclass(frozen=True, slots=True)
class Pin:
    """A name (`lodash`) or pattern (`@scope/*`) and the 32-byte key of its publisher."""

    pattern: str
    key: bytes


@dataclass(frozen=True, slots=True)
class TrustRules:
    """The content of the trust file."""

    pins: tuple[Pin, ...] = ()
    mirrors: tuple[bytes, ...] = ()

    def publisher_of(self, name: str) -> bytes | None:
        """Return the key that `name` is pinned to: an exact pin first, then the longest pattern that matches."""
        matching = [pin for pin in self.pins if matches(name, pin.pattern)]
        best = max(matching, key=lambda pin: (pin.pattern == name, len(pin.pattern)), default=None)
        return best.key if best else None

    def with_pin(self, pattern: str, key: bytes) -> "TrustRules":
        """Add a pin. Raises InvalidInputError, and ConflictError when the pattern is pinned to another key."""
        check_pattern(pattern)
        for pin in self.pins:
            if pin.pattern == pattern and pin.key != key:
                raise ConflictError(
                    f"{pattern} is pinned to {format_key(pin.key)}.",
                    hint=f"To change that: libreseed trust remove '{pattern}'",
                )
        return replace(self, pins=(*(pin for pin in self.pins if pin.pattern != pattern), Pin(pattern, key)))

    def with_mirror(self, key: bytes) -> "TrustRules":
        """Trust a mirror."""
        return replace(self, mirrors=(*(mirror for mirror in self.mirrors if mirror != key), key))

    def without(self, what: str) -> "TrustRules":
        """Remove the pin of a pattern, or a mirror or all pins of a key. Raises NotFoundError."""
        try:
            key = parse_key(what)
        except InvalidInputError:
            left = TrustRules(tuple(pin for pin in self.pins if pin.pattern != what), self.mirrors)
        else:
            left = TrustRules(
                tuple(pin for pin in self.pins if pin.key != key),
                tuple(mirror for mirror in self.mirrors if mirror != key),
            )
        if left == self:
            raise NotFoundError(f"Nothing is trusted as {what}.", hint="See: libreseed trust list")
        return left

    def encode(self) -> bytes:
        """Return the trust file's JSON."""
        return orjson.dumps(
            {
                "pins": {pin.pattern: format_key(pin.key) for pin in self.pins},
                "mirrors": [format_key(key) for key in self.mirrors],
            },
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )

    @classmethod
    def decode(cls, text: bytes) -> "TrustRules":
        """Read the trust file's JSON. Raises InvalidInputError."""
        try:
            match orjson.loads(text):
                case {"pins": dict(pins), "mirrors": list(mirrors)}:
                    return cls(
                        tuple(Pin(check_pattern(pattern), parse_key(key)) for pattern, key in pins.items()),
                        tuple(parse_key(key) for key in mirrors),
                    )
        except (orjson.JSONDecodeError, AttributeError) as error:
            raise InvalidInputError(f"not JSON of the known form: {error}") from error
        raise InvalidInputError("'pins' or 'mirrors' is missing")
