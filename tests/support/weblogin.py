"""The login page, as a browser uses it."""

import http.cookies
import re
import urllib.error
import urllib.parse
import urllib.request

from support.nodes import request

URL = r"(http://\S+/-/v1/login/\S+)"
"""What a client prints to be opened."""


def fill_in(url: str, **fields: str) -> str:
    """Open the login page and send its form, as a browser would; return the page that follows."""
    page = request("GET", url)
    text = page.body.decode()
    cookie = next(iter(http.cookies.SimpleCookie(page.headers["Set-Cookie"]).values()))
    action, csrf = re.search(r'action="([^"]+)"', text), re.search(r'name="csrf" value="([^"]+)"', text)
    assert action is not None
    assert csrf is not None
    body = urllib.parse.urlencode({"csrf": csrf[1], **fields}).encode()
    sent = urllib.request.Request(  # noqa: S310
        urllib.parse.urljoin(url, action[1].replace("&amp;", "&")),
        body,
        {"Cookie": f"{cookie.key}={cookie.value}", "Origin": url.partition("/-/")[0]},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(sent, timeout=60) as answer:
            page_after: str = answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            page_after = refusal.read().decode()
    return page_after
