import re
from urllib.parse import urlencode, urlsplit

import pytest

from libreseed.accounts.attempts import BURST
from support.running import Answer, Local, StartNode

PASSWORD = "correct horse"


@pytest.fixture
async def node(start_node: StartNode) -> Local:
    return await start_node()


async def begin(node: Local, *, create: bool = False) -> tuple[str, str]:
    """Begin a login as npm does; return the paths of the page and of what to poll."""
    answer = await node.ask("POST", "/-/v1/login", body={"create": True} if create else {}, User_Agent="npm/11 node/20")
    assert answer.status == 200
    urls = [urlsplit(answer.json()[key]) for key in ("loginUrl", "doneUrl")]
    assert [url.netloc for url in urls] == [node.host] * 2
    return urls[0].path, urls[1].path


async def submit(node: Local, page: Answer, *, csrf: str | None = None, cookie: str = "", **fields: str) -> Answer:
    """Send the form of a page as a browser would."""
    text = page.body.decode()
    action, token = re.search(r'action="([^"]+)"', text), re.search(r'name="csrf" value="([^"]+)"', text)
    assert action is not None
    assert token is not None
    body = urlencode({"csrf": token[1] if csrf is None else csrf, **fields}).encode()
    cookie = cookie or page.headers["Set-Cookie"].partition(";")[0]
    headers = {"Cookie": cookie, "Origin": node.url, "Content-Type": "application/x-www-form-urlencoded"}
    return await node.ask("POST", action[1].replace("&amp;", "&"), body=body, **headers)


async def test_log_in(node: Local) -> None:
    await node.log_in()
    node.token = ""
    page_path, done_path = await begin(node)
    waiting = await node.get(done_path)
    assert (waiting.status, waiting.headers["Retry-After"]) == (202, "1")
    page = await node.get(page_path)
    assert page.status == 200
    assert "npm/11 at 127.0.0.1 asks for this" in page.body.decode()
    done = await submit(node, page, name="ann", password=PASSWORD)
    assert (done.status, "Welcome, ann" in done.body.decode()) == (200, True)
    given = await node.get(done_path)
    assert (given.status, given.headers["Cache-Control"]) == (200, "no-store")
    node.token = given.json()["token"]
    assert (await node.get("/-/whoami")).json() == {"username": "ann"}
    assert (await node.get(done_path)).status == 404, "once"
    gone = await node.get(page_path)
    assert (gone.status, "This login has ended" in gone.body.decode()) == (404, True)


async def test_the_first_account_and_further_ones(node: Local) -> None:
    page_path, done_path = await begin(node)
    page = await node.get(page_path)
    assert "Make an account" in page.body.decode()
    differing = await submit(node, page, name="ann", password=PASSWORD, again="other")
    assert (differing.status, "are not the same" in differing.body.decode()) == (400, True)
    done = await submit(node, differing, name="ann", password=PASSWORD, again=PASSWORD, email="ann@example.test")
    assert done.status == 200
    node.token = (await node.get(done_path)).json()["token"]
    assert (await node.get("/-/npm/v1/user")).json()["email"] == "ann@example.test"
    page_path, _ = await begin(node)
    assert "<h1>Log in</h1>" in (await node.get(page_path)).body.decode()
    assert "<h1>Make an account</h1>" in (await node.get(f"{page_path}?new=yes")).body.decode()
    page_path, _ = await begin(node, create=True)
    page = await node.get(page_path)
    taken = await submit(node, page, name="ann", password=PASSWORD, again=PASSWORD)
    assert (taken.status, "exists" in taken.body.decode()) == (409, True)


async def test_the_page_is_shut_off_from_the_world(node: Local) -> None:
    page_path, _ = await begin(node)
    page = await node.get(page_path)
    nonce = re.search(r'<style nonce="([^"]+)">', page.body.decode())
    assert nonce is not None
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'nonce-{nonce[1]}'; form-action 'self'")
    assert "frame-ancestors 'none'" in policy
    assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "same-origin")
    assert "<script" not in page.body.decode()
    assert not re.search(r'(?:src|href)="(?!/-/v1/)', page.body.decode())
    assert {"HttpOnly", "SameSite=strict", f"Path={page_path}"} <= set(page.headers["Set-Cookie"].split("; "))


async def test_what_is_entered_is_shown_as_text(node: Local) -> None:
    page = await node.get((await begin(node))[0])
    shown = await submit(node, page, name='"><script>x</script>', password="x", again="x")
    assert "<script>" not in shown.body.decode()


async def test_a_form_from_elsewhere_logs_nobody_in(node: Local) -> None:
    await node.log_in()
    page_path, done_path = await begin(node)
    page = await node.get(page_path)
    for forged in ({"csrf": "x"}, {"csrf": ""}, {"cookie": "libreseed-login=x"}, {"cookie": "a=b"}):
        refused = await submit(node, page, name="ann", password=PASSWORD, **forged)
        assert (refused.status, "was not opened here" in refused.body.decode()) == (403, True)
    assert (await node.get(done_path)).status == 202


async def test_wrong_passwords_are_counted(node: Local) -> None:
    await node.log_in()
    page_path, done_path = await begin(node)
    page = await node.get(page_path)
    for _ in range(BURST):
        page = await submit(node, page, name="ann", password="wrong")
        assert (page.status, "Wrong name or password" in page.body.decode()) == (401, True)
        assert 'value="ann"' in page.body.decode(), "need not be entered again"
    page = await submit(node, page, name="ann", password=PASSWORD)
    assert (page.status, "Too many wrong passwords" in page.body.decode()) == (403, True)
    assert (await node.get(done_path)).status == 202


async def test_malformed(node: Local) -> None:
    page_path, _ = await begin(node)
    assert (await node.ask("POST", "/-/v1/login", body=[])).status == 400
    assert (await node.ask("POST", page_path, body=b"\xff")).status in (400, 403)
    assert (await node.ask("POST", page_path, body=b"a=1&" * 100)).status == 400
    assert (await node.ask("POST", page_path, body=b"")).status == 403
    for path in ("/-/v1/login/x", "/-/v1/done/x"):
        assert (await node.get(path)).status == 404
