"""Receives the body of a publish: a large tarball in it is decoded into a file while it arrives, the rest stays in
memory."""

import asyncio
import binascii
import hashlib
import secrets
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from libreseed.errors import InvalidInputError, StoreError
from libreseed.packages.lenient import read_json
from libreseed.packages.longtexts import LONG, LongTexts
from libreseed.packages.publish import Tarball
from libreseed.store.blobs import BlobStore

DOCUMENT_LIMIT = 64 << 20
"""Bytes of a body beside large attachments."""
_BATCH = 256 << 10


class PublishSpool:
    """A context manager: `add` the bytes of the body, then `read` it. Leaving it deletes the files that were not moved
    into the store."""

    def __init__(self, blobs: BlobStore) -> None:
        self.tarballs: dict[str, Tarball] = {}
        self.files: dict[bytes, Path] = {}
        self._blobs = blobs
        self._token = secrets.token_hex(16)
        self._waiting = bytearray()
        self._texts: LongTexts | None = None
        self._file: _Base64File | None = None

    async def add(self, chunk: bytes) -> None:
        """Take the next bytes. Raises InvalidInputError, StoreError."""
        self._waiting += chunk
        if len(self._waiting) >= (_BATCH if self._texts else LONG):
            await asyncio.to_thread(self._feed)

    async def read(self) -> object:
        """Return the parsed JSON. In the place of a large tarball it has a token, which is a key of `tarballs`; the
        tarball's file is in `files`, by its SHA-512.

        Raises InvalidInputError, StoreError.
        """
        return await asyncio.to_thread(self._read)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with suppress(StoreError):  # the file is deleted anyway
                self._file.close()
            await self._blobs.discard(self._file.path.parent)

    def _feed(self) -> None:
        if self._texts is None:
            self._texts = LongTexts(self._token, DOCUMENT_LIMIT, self._open)
        data, self._waiting = bytes(self._waiting), bytearray()
        self._texts.feed(data)

    def _read(self) -> object:
        text: bytes | bytearray = self._waiting
        if self._texts is not None:
            self._feed()
            text = self._texts.finish()
        if self._file is not None:
            tarball = self._file.tarball()
            self.tarballs[f"{self._token}0"] = tarball
            self.files[tarball.digest] = self._file.path
        try:
            return read_json(text).value
        except InvalidInputError as error:
            raise InvalidInputError("The request's body is not JSON.") from error

    def _open(self) -> "_Base64File":
        if self._file is not None:
            raise InvalidInputError("A publish has one large attachment, its tarball.")
        self._file = _Base64File(self._blobs.incoming_dir() / "tarball")
        return self._file


class _Base64File:
    """A file that receives decoded base64, which is hashed meanwhile (blocking)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._stream = path.open("wb")
        except OSError as error:
            raise _store_error(path, error) from error
        self._strong, self._weak = hashlib.sha512(), hashlib.sha1(usedforsecurity=False)
        self._length = 0
        self._left = b""
        self._padded = False

    def write(self, text: bytes) -> None:
        text = self._left + text
        whole = len(text) & ~3
        self._left = text[whole:]
        if not whole:
            return
        try:
            if self._padded:
                raise ValueError("more after the padding")
            data = binascii.a2b_base64(text[:whole], strict_mode=True)
        except ValueError as error:
            raise _not_base64() from error
        self._padded = text[whole - 1] == ord("=")
        for each in (self._strong, self._weak):
            each.update(data)
        self._length += len(data)
        try:
            self._stream.write(data)
        except OSError as error:
            raise _store_error(self.path, error) from error

    def finish(self) -> None:
        if self._left:
            raise _not_base64()
        self.close()

    def close(self) -> None:
        try:
            self._stream.close()
        except OSError as error:
            raise _store_error(self.path, error) from error

    def tarball(self) -> Tarball:
        """Return the written file as a tarball."""
        return Tarball(
            self._strong.digest(),
            self._weak.hexdigest(),
            self._length,
            partial(self.path.open, "rb"),  # type: ignore[arg-type]
        )


def _not_base64() -> InvalidInputError:
    return InvalidInputError(f"A text of more than {LONG >> 20} MiB in a publish must be its tarball, as base64.")


def _store_error(path: Path, error: OSError) -> StoreError:
    return StoreError(f"Cannot write {path}: {error.strerror or error}.", hint="Free some space, or move --root.")
