import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from libreseed.errors import UnavailableError
from libreseed.upstream.client import Upstream
from libreseed.upstream.limits import Limits
from libreseed.upstream.settings import Credentials, Proxies, Tls, UpstreamSettings
from libreseed.upstream.tls import make_context
from upstream.fake_registry import FakeRegistry, Reply

BODY = b'{"name":"lodash"}'
SECRET = Credentials("Bearer secret")
Certificate = tuple[Path, Path]


@asynccontextmanager
async def secure_registry(certificate: Certificate, *, clients: bool = False) -> AsyncIterator[FakeRegistry]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate[0])
    async with FakeRegistry(context) as server:
        server.on("/lodash", Reply(body=BODY))
        yield server


async def ask(settings: UpstreamSettings) -> bool:
    """Fetch a packument and tell whether it is restricted."""
    async with Upstream(settings, node_id="node-1", limits=Limits(retries=0)) as upstream:
        return (await upstream.packument("lodash")).restricted


async def test_a_redirect_on_the_same_origin_keeps_the_credentials(registry: FakeRegistry) -> None:
    registry.on("/lodash", Reply(302, headers={"Location": "/moved?x=%2F"}))
    registry.on("/moved?x=%2F", Reply(body=BODY))
    assert await ask(UpstreamSettings(registry.url, credentials={f"//127.0.0.1:{registry.port}/": SECRET}))
    sent = [request.headers.get("authorization") for request in registry.requests if request.method == "GET"]
    assert sent == ["Bearer secret"] * 2


async def test_a_redirect_to_another_origin_loses_the_credentials(registry: FakeRegistry) -> None:
    async with FakeRegistry() as other:
        registry.on("/lodash", Reply(302, headers={"Location": f"{other.url}lodash"}))
        other.on("/lodash", Reply(302, headers={"Location": f"{registry.url}back"}))
        registry.on("/back", Reply(302, headers={"Location": f"{other.url}end"}))
        other.on("/end", Reply(body=BODY))
        mine, theirs = f"//127.0.0.1:{registry.port}/", f"//127.0.0.1:{other.port}/"
        assert await ask(UpstreamSettings(registry.url, credentials={mine: SECRET, theirs: SECRET}))
        assert [request.headers.get("authorization") for request in other.requests] == [None, None]


async def test_a_redirect_cannot_name_credentials(registry: FakeRegistry) -> None:
    target = registry.url.replace("//", "//me:word@") + "moved"
    registry.on("/lodash", Reply(302, headers={"Location": target}))
    registry.on("/moved", Reply(body=BODY))
    assert not await ask(UpstreamSettings(registry.url))
    assert "authorization" not in registry.requests[1].headers


async def test_redirects_are_counted(registry: FakeRegistry) -> None:
    for step in range(9):
        registry.on("/lodash" if step == 0 else f"/{step}", Reply(302, headers={"Location": f"/{step + 1}"}))
    with pytest.raises(UnavailableError, match="more than 5 redirects"):
        await ask(UpstreamSettings(registry.url))
    assert len(registry.requests) == 6


async def test_a_redirect_from_https_to_http_is_refused(registry: FakeRegistry, certificate: Certificate) -> None:
    registry.on("/lodash", Reply(body=BODY))
    async with secure_registry(certificate) as secure:
        secure.on("/lodash", Reply(302, headers={"Location": f"{registry.url}lodash"}))
        with pytest.raises(UnavailableError, match="not safe"):
            await ask(UpstreamSettings(secure.url, tls=Tls(cafile=str(certificate[0]))))
    assert registry.requests == []


async def test_a_handshake_that_hangs() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        settings = UpstreamSettings(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        async with Upstream(settings, node_id="node-1", limits=Limits(connect=0.1)) as upstream:
            with pytest.raises(UnavailableError, match=r"no connection within 0\.1 s"):
                await upstream.packument("lodash")


def test_certificates_are_judged_as_node_judges_them() -> None:
    context = make_context(Tls(), None)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


async def test_an_unknown_certificate_is_refused(certificate: Certificate) -> None:
    async with secure_registry(certificate) as secure:
        with pytest.raises(UnavailableError, match="certificate"):
            await ask(UpstreamSettings(secure.url))
        assert secure.requests == []


async def test_whom_npm_believes_is_believed(certificate: Certificate) -> None:
    cert = certificate[0]
    async with secure_registry(certificate) as secure:
        for tls in (
            Tls(cafile=str(cert)),
            Tls(ca=(cert.read_text(),)),
            Tls(extra_cafile=str(cert)),
            Tls(strict=False),
            Tls(cafile="/nowhere/ca.pem", extra_cafile=str(cert)),
        ):
            assert not await ask(UpstreamSettings(secure.url, tls=tls))


async def test_requests_that_come_together_make_one_context(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def making(tls: Tls, credentials: Credentials | None) -> ssl.SSLContext:
        made.append(tls)
        return make_context(tls, credentials)

    monkeypatch.setattr("libreseed.upstream.transport.make_context", making)
    names = [f"package-{number}" for number in range(10)]
    async with secure_registry(certificate) as secure:
        for name in names:
            secure.on(f"/{name}", Reply(body=b'{"name":"%s"}' % name.encode()))
        settings = UpstreamSettings(secure.url, tls=Tls(cafile=str(certificate[0])))
        async with Upstream(settings, node_id="node-1") as upstream:
            await asyncio.gather(*map(upstream.packument, names))
    assert made == [settings.tls]


async def test_a_broken_cafile_says_so(certificate: Certificate, tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    async with secure_registry(certificate) as secure:
        with pytest.raises(UnavailableError, match="certificate that npm is configured with"):
            await ask(UpstreamSettings(secure.url, tls=Tls(cafile=str(broken))))


async def test_client_certificates(certificate: Certificate) -> None:
    cert, key = certificate
    believed = Tls(cafile=str(cert))
    async with secure_registry(certificate, clients=True) as secure:
        with pytest.raises(UnavailableError):
            await ask(UpstreamSettings(secure.url, tls=believed))
        nerf = f"//127.0.0.1:{secure.port}/"
        mine = {nerf: Credentials(certfile=str(cert), keyfile=str(key))}
        assert await ask(UpstreamSettings(secure.url, tls=believed, credentials=mine))
        inline = Tls(cafile=str(cert), cert=cert.read_text(), key=key.read_text())
        assert await ask(UpstreamSettings(secure.url, tls=inline))


async def test_a_proxy_is_asked_for_all_but_the_excepted(registry: FakeRegistry) -> None:
    async with FakeRegistry() as proxy:
        proxy.on("http://npm.invalid/lodash", Reply(body=BODY))
        registry.on("/lodash", Reply(body=BODY))
        proxies = Proxies(http=proxy.url.replace("//", "//me:word@"), without=("127.0.0.1",))
        await ask(UpstreamSettings("http://npm.invalid/", proxies=proxies))
        await ask(UpstreamSettings(registry.url, proxies=proxies))
    assert [request.target for request in proxy.requests] == ["http://npm.invalid/lodash"]
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic bWU6d29yZA=="
    assert "proxy-authorization" not in registry.requests[0].headers


async def test_errors_show_no_secret(registry: FakeRegistry) -> None:
    registry.on("/lodash", Reply(302, headers={"Location": "/moved?signature=hush"}))
    registry.on("/moved?signature=hush", Reply(500))
    with pytest.raises(UnavailableError, match="/moved") as caught:
        await ask(UpstreamSettings(registry.url))
    assert "hush" not in str(caught.value)
