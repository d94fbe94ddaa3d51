"""A registry's signing key, and packages of a scripted upstream that are signed with it as npm's own are."""

import base64
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from upstream.fake_registry import FakeRegistry, Reply

NO_TUF = """
const Module = require('node:module')
const load = Module._load
const client = { getTarget: async () => { throw Object.assign(new Error('none'), { code: 'TUF_FIND_TARGET_ERROR' }) } }
Module._load = function (name) {
  return name === '@sigstore/tuf' ? { initTUF: async () => client } : load.apply(this, arguments)
}
"""
"""npm asks Sigstore's own repository for a registry's keys first, then the registry. Answers as that repository does
for a registry that it does not know, so that the test needs no internet."""


class RegistrySigner:
    """An ECDSA P-256 key with an id, and perhaps an end."""

    def __init__(self, keyid: str = "SHA256:test", expires: str | None = None) -> None:
        self.keyid = keyid
        self._expires = expires
        self._key = ec.generate_private_key(ec.SECP256R1())

    def entry(self) -> dict[str, Any]:
        """The key as `/-/npm/v1/keys` lists it."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = self._key.public_key().public_bytes(serialization.Encoding.DER, form)
        scheme = {"keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256"}
        return {"keyid": self.keyid, "key": base64.b64encode(public).decode(), "expires": self._expires, **scheme}

    def keys(self) -> bytes:
        """The list of keys, with this one alone."""
        return orjson.dumps({"keys": [self.entry()]})

    def signature(self, name: str, version: str, integrity: str) -> dict[str, str]:
        """The entry of `dist.signatures`."""
        signature = self._key.sign(f"{name}@{version}:{integrity}".encode(), ec.ECDSA(hashes.SHA256()))
        return {"keyid": self.keyid, "sig": base64.b64encode(signature).decode()}

    def sign(self, upstream: FakeRegistry, name: str, *, forged: bool = False) -> None:
        """Sign all versions of a package that the upstream offers; `forged`: other bytes than it offers."""
        path = "/" + name.replace("/", "%2f")
        [packument] = upstream.script[path]
        assert isinstance(packument, Reply)
        content = orjson.loads(packument.body)
        for version, manifest in content["versions"].items():
            integrity = "forged" if forged else manifest["dist"]["integrity"]
            manifest["dist"]["signatures"] = [self.signature(name, version, integrity)]
        upstream.on(path, Reply(body=orjson.dumps(content), headers={"ETag": '"signed"'}))
