"""Logging in: the page that asks for the token, and the cookie that stands for it afterwards."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from inference.admission import Admission, cookie_name
from inference.errors import NotLoggedIn, RequestError
from inference.web.guard import asked_now, guard_of, page_asked_for

WRONG = "That is not the token."


def add_login(app: Flask) -> None:
    """`GET /login`, the page, and `POST /login`, with the token in a form or as JSON."""
    admission = guard_of(app).admission

    @app.get("/login")
    def login_page() -> ResponseReturnValue:
        if admission.token is None:
            return redirect(page_asked_for(), HTTPStatus.SEE_OTHER)
        return render_template("login.html", wrong="")

    @app.post("/login")
    def login() -> ResponseReturnValue:
        by_script = request.is_json
        if admission.token is not None and not admission.is_token(_given()):
            if by_script:
                raise NotLoggedIn(WRONG)
            page = render_template("login.html", wrong=WRONG)
            return page, HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"}
        done = Response(status=HTTPStatus.NO_CONTENT)
        return _remembered(done if by_script else redirect(page_asked_for(), HTTPStatus.SEE_OTHER), admission)


def _given() -> str:
    try:
        said: Any = request.get_json() if request.is_json else request.form
    except RecursionError:
        said = None
    token = said.get("token") if hasattr(said, "get") else None
    if not isinstance(token, str):
        raise RequestError('The login needs the token: {"token": "…"}, or a form with a field token.')
    return token


def _remembered(response: BaseResponse, admission: Admission) -> BaseResponse:
    """With the cookie, which no script can read, and no other site's request carries."""
    if admission.token is not None:
        asked = asked_now()
        response.set_cookie(
            cookie_name(asked.host),
            admission.session,
            path="/",
            httponly=True,
            samesite="Strict",
            # a proxy's https is seen by the page's origin, which a browser always sends with a login
            secure=request.is_secure or asked.origin.startswith("https://"),
        )
    return response
