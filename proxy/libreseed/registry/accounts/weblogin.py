"""Web login, the default of npm and pnpm. The page needs no JavaScript and loads no other resource.

Source: npm's `npm-profile`; see `accounts.weblogin`.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from libreseed.accounts.login import Login
from libreseed.accounts.weblogin import WebLogin, WebLogins
from libreseed.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    LibreseedError,
    NotFoundError,
    UnauthorizedError,
)
from libreseed.registry.accounts.accounts import BODY_LIMIT
from libreseed.registry.http.answers import SOURCE_HEADER, json_answer, status_of
from libreseed.registry.http.bodies import read_bytes, read_json
from libreseed.registry.http.identity import address_of, is_local
from libreseed.registry.http.paths import base_url
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.tokens import TokenStore

LOGIN = "/-/v1/login"
DONE = "/-/v1/done"

_COOKIE = "libreseed-login"
_ASK_AGAIN = "1"
"""Seconds, as a Retry-After header, until the client polls again."""
_CLIENT_LENGTH = 60
_REFUSALS = (UnauthorizedError, ForbiddenError, InvalidInputError, ConflictError)


@dataclass(frozen=True, slots=True)
class _Form:
    """Values for the template: the client that asks and its address, the URL to post to, what was entered, and the URL
    of the other form, that for a new account or that for an existing one."""

    client: str
    address: str
    action: str
    csrf: str
    name: str
    creates: bool
    otp: bool
    other: str


class WebLoginEndpoints:
    """Begins a login, shows its page, and gives the token, once, to the client that began it."""

    def __init__(self, logins: WebLogins, login: Login, accounts: AccountStore, tokens: TokenStore) -> None:
        self._logins = logins
        self._login = login
        self._accounts = accounts
        self._tokens = tokens
        environment = Environment(
            loader=PackageLoader("libreseed.registry.accounts"),
            undefined=StrictUndefined,
            trim_blocks=True,
            autoescape=True,
        )
        self._template = environment.get_template("login.html.j2")

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route(LOGIN, self.begin, methods=["POST"]),
            Route(f"{LOGIN}/{{page}}", self.page),
            Route(f"{LOGIN}/{{page}}", self.submit, methods=["POST"]),
            Route(f"{DONE}/{{done}}", self.done),
        ]

    async def begin(self, request: Request) -> Response:
        """POST /-/v1/login, with `{"create": true}` from `npm adduser`: `{"loginUrl", "doneUrl"}`."""
        match await read_json(request, BODY_LIMIT):
            case dict(body):
                pass
            case _:
                raise InvalidInputError("A web login is begun by a JSON object.")
        client = request.headers.get("user-agent", "").partition(" ")[0][:_CLIENT_LENGTH]
        login = self._logins.begin(client, address_of(request), creates=body.get("create") is True)
        url = base_url(request)
        return json_answer({"loginUrl": f"{url}{LOGIN}/{login.page}", "doneUrl": f"{url}{DONE}/{login.done}"})

    async def done(self, request: Request) -> Response:
        """GET /-/v1/done/ID: 202 while the login is not completed, then the token."""
        account = self._logins.take(request.path_params["done"])
        if not account:
            waiting = json_answer({}, 202)
            waiting.headers["Retry-After"] = _ASK_AGAIN
            return waiting
        token, _ = await self._tokens.issue(account)
        answer = json_answer({"token": token})
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def page(self, request: Request) -> Response:
        """GET /-/v1/login/ID: the form; with `?new` that for a new account."""
        try:
            login = self._logins.find(request.path_params["page"])
        except NotFoundError as error:
            return self._refusal(error)
        creates = await self._creates(request, login)
        return self._show_form(request, login, creates=creates)

    async def submit(self, request: Request) -> Response:
        """POST /-/v1/login/ID: the submitted form."""
        try:
            login = self._logins.find(request.path_params["page"])
            fields = _fields(await read_bytes(request, BODY_LIMIT))
        except (NotFoundError, InvalidInputError) as error:
            return self._refusal(error)
        cookie = request.cookies.get(_COOKIE, "")
        creates = await self._creates(request, login)
        if not cookie or not secrets.compare_digest(cookie.encode(), fields.get("csrf", "").encode()):
            expired = ForbiddenError(
                "This form was not opened here, or your browser refuses cookies.", hint="Try again."
            )
            return self._show_form(request, login, creates=creates, error=expired)
        name = fields.get("name", "").strip()
        try:
            await self._enter(request, name, fields, creates=creates)
        except _REFUSALS as error:
            return self._show_form(request, login, creates=creates, name=name, error=error)
        self._logins.complete(login, name)
        return self._render(
            200, title="You are logged in", message=f"Welcome, {name}. Go back to your terminal.", done=True
        )

    async def _enter(self, request: Request, name: str, fields: dict[str, str], *, creates: bool) -> None:
        password = fields.get("password", "")
        if not name or not password:
            raise InvalidInputError("Enter a name and a password.")
        if not creates:
            code = fields.get("otp", "").replace(" ", "")
            await self._login.log_in(name, password, code, address_of(request))
        elif fields.get("again") != password:
            raise InvalidInputError("The two passwords are not the same.")
        else:
            await self._login.sign_up(name, password, fields.get("email", "").strip(), local=is_local(request))

    async def _creates(self, request: Request, login: WebLogin) -> bool:
        """Tell whether the page makes a new account: on this machine only, when asked to or while there is none."""
        if not is_local(request):
            return False
        chosen = request.query_params.get("new")
        if chosen is not None:
            return chosen != "no"
        return login.creates or await self._accounts.is_empty()

    def _show_form(
        self,
        request: Request,
        login: WebLogin,
        *,
        creates: bool,
        name: str = "",
        error: LibreseedError | None = None,
    ) -> Response:
        csrf = secrets.token_urlsafe(24)
        path = f"{LOGIN}/{login.page}"
        form = _Form(
            client=login.client or "A client",
            address=login.address or "this machine",
            action=f"{path}?new={'yes' if creates else 'no'}",
            csrf=csrf,
            name=name,
            creates=creates,
            otp=isinstance(error, UnauthorizedError) and error.challenge == "OTP",
            other=f"{path}?new={'no' if creates else 'yes'}" if is_local(request) else "",
        )
        status = status_of(error) if error is not None else 200
        answer = self._render(
            status,
            title="Make an account" if creates else "Log in",
            message=str(error) if error is not None else "",
            form=form,
        )
        secure = request.url.scheme == "https"
        answer.set_cookie(_COOKIE, csrf, path=path, httponly=True, samesite="strict", secure=secure)
        return answer

    def _refusal(self, error: LibreseedError) -> Response:
        return self._render(status_of(error), title="This does not work", message=str(error))

    def _render(
        self, status: int, *, title: str, message: str, form: _Form | None = None, done: bool = False
    ) -> Response:
        nonce = secrets.token_urlsafe(16)
        page = self._template.render(nonce=nonce, title=title, message=message, form=form, done=done)
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'"
        headers: dict[str, Any] = {
            SOURCE_HEADER: "store",
            "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(page, status, headers)


def _fields(body: bytes) -> dict[str, str]:
    """Return the fields of an application/x-www-form-urlencoded body. Raises InvalidInputError."""
    try:
        return {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=20).items()}
    except ValueError as error:
        raise InvalidInputError("That is no form.") from error
