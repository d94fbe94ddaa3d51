"""Whom the user trusts: names pinned to publishers, mirrors, and the registry's signing keys. What is not listed is not
trusted, and a trust file that cannot be read in full is refused."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import orjson

from libreseed.errors import ConflictError, InvalidInputError, NotFoundError
from libreseed.packages.names import check_pattern, matches
from libreseed.trust.keys import format_key, parse_key
from libreseed.trust.registry_signatures import RegistryKey, read_keys


@dataclass(frozen=True, slots=True)
class Pin:
    """A name (`lodash`) or pattern (`@scope/*`) and the 32-byte key of its publisher."""

    pattern: str
    key: bytes


@dataclass(frozen=True, slots=True)
class TrustRules:
    """The content of the trust file. `mirrors` are the 32-byte keys of mirrors, in the order of their addition."""

    pins: tuple[Pin, ...] = ()
    mirrors: tuple[bytes, ...] = ()
    registry_keys: tuple[RegistryKey, ...] = ()

    def publisher_of(self, name: str) -> bytes | None:
        """Return the key that `name` is pinned to, or None: by the exact pin, else by the longest matching pattern
        (docs/protocol.md, section 9, source 2)."""
        matching = [pin for pin in self.pins if matches(name, pin.pattern)]
        best = max(matching, key=lambda pin: (pin.pattern == name, len(pin.pattern)), default=None)
        return best.key if best else None

    def with_pin(self, pattern: str, key: bytes) -> "TrustRules":
        """Return the rules with one more pin. Raises InvalidInputError when `pattern` is none, ConflictError when it is
        pinned to another key."""
        check_pattern(pattern)
        for pin in self.pins:
            if pin.pattern == pattern and pin.key != key:
                raise ConflictError(
                    f"{pattern} is pinned to {format_key(pin.key)}.",
                    hint=f"To change that: libreseed trust remove '{pattern}'",
                )
        return replace(self, pins=(*(pin for pin in self.pins if pin.pattern != pattern), Pin(pattern, key)))

    def with_mirror(self, key: bytes) -> "TrustRules":
        """Return the rules with one more mirror."""
        return replace(self, mirrors=(*(mirror for mirror in self.mirrors if mirror != key), key))

    def with_registry_keys(self, keys: Iterable[RegistryKey]) -> "TrustRules":
        """Return the rules with these signing keys of a registry pinned. Of a pinned key nothing may change, but one
        without an expiry may get one.

        Raises ConflictError: a key's id is pinned to another key, or its expiry was removed or moved.
        """
        pinned = {key.keyid: key for key in self.registry_keys}
        for key in keys:
            old = pinned.get(key.keyid)
            if old is not None and (old.der != key.der or old.expires not in (None, key.expires)):
                raise ConflictError(
                    f"The registry's signing key {key.keyid} is not the one that is pinned; it was not taken.",
                    hint=f"If you know that it was changed: libreseed trust remove {key.keyid}",
                )
            pinned[key.keyid] = key
        return replace(self, registry_keys=tuple(pinned.values()))

    def without(self, what: str) -> "TrustRules":
        """Return the rules without `what`: a pinned pattern, the id of a registry's key, or a key, which is then no
        mirror and pinned to no name.

        Raises NotFoundError when nothing is trusted by that text.
        """
        try:
            key = parse_key(what)
        except InvalidInputError:
            left = replace(
                self,
                pins=tuple(pin for pin in self.pins if pin.pattern != what),
                registry_keys=tuple(key for key in self.registry_keys if key.keyid != what),
            )
        else:
            left = replace(
                self,
                pins=tuple(pin for pin in self.pins if pin.key != key),
                mirrors=tuple(mirror for mirror in self.mirrors if mirror != key),
            )
        if left == self:
            raise NotFoundError(f"Nothing is trusted as {what}.", hint="See: libreseed trust list")
        return left

    def encode(self) -> bytes:
        """Return the trust file: JSON with `pins`, `mirrors` and `registryKeys`."""
        return orjson.dumps(
            {
                "pins": {pin.pattern: format_key(pin.key) for pin in self.pins},
                "mirrors": [format_key(key) for key in self.mirrors],
                "registryKeys": [key.as_json() for key in self.registry_keys],
            },
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )

    @classmethod
    def decode(cls, text: bytes) -> "TrustRules":
        """Return the rules of a trust file. Raises InvalidInputError for anything but the JSON that `encode` makes, in
        which `registryKeys` may be missing."""
        try:
            match orjson.loads(text):
                case {"pins": dict(pins), "mirrors": list(mirrors), **others}:
                    return cls(
                        tuple(Pin(check_pattern(pattern), parse_key(key)) for pattern, key in pins.items()),
                        tuple(parse_key(key) for key in mirrors),
                        read_keys({"keys": others.get("registryKeys", [])}),
                    )
        except (orjson.JSONDecodeError, AttributeError) as error:
            raise InvalidInputError(f"not JSON of the known form: {error}") from error
        raise InvalidInputError("'pins' or 'mirrors' is missing")
