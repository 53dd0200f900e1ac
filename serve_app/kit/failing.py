"""Every error of the application as its problem document."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bus.kit.refusals import Failed, Refusal, Unavailable, Unknown
from serve_app.kit.problems import Problem, field_errors, internal_error, problem_of

HTTP_CODES = {
    400: "malformed-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    413: "body-too-large",
    415: "unsupported-media-type",
}
"""What Starlette refuses by itself: status → code."""


def answer_errors(app: FastAPI) -> None:
    """Answer every error of `app` with its problem document."""

    async def problem(request: Request, error: Exception) -> Response:
        return as_problem(error).response(request.scope["souk.caller"].request_id)

    kinds = (Problem, Refusal, Unavailable, Unknown, Failed)
    for kind in (*kinds, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, problem)


def as_problem(error: Exception) -> Problem:
    """The problem that stands for any error."""
    known = problem_of(error)
    if known is not None:
        return known
    if isinstance(error, RequestValidationError):
        found = error.errors()
        if any(each["loc"][0] == "path" for each in found):
            return Problem(404, "not-found", "There is nothing at this address.")
        return Problem(
            422,
            "invalid-request",
            "Some fields are not acceptable.",
            field_errors(found),
        )
    status = getattr(error, "status_code", 500)
    code = HTTP_CODES.get(status)
    if code is None:
        return internal_error()
    headers = dict(getattr(error, "headers", None) or {})
    return Problem(status, code, headers=headers)
