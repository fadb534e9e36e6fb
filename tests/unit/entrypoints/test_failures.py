"""Which error becomes which answer."""

import pytest
from litestar.exceptions import HTTPException, InternalServerException, MethodNotAllowedException

from streaming_service.entrypoints.http.failures import BadParameter, explain
from streaming_service.entrypoints.http.problems import Problem
from streaming_service.errors import (
    ConfigurationError,
    Conflict,
    IllegalTransition,
    InvalidInput,
    NotFound,
    StoreError,
    StoreUnavailable,
    UpstreamRejected,
    UpstreamUnavailable,
)

CASES: list[tuple[Exception, str, int, str]] = [
    (InvalidInput("a", "b"), "POST", 422, "invalid_input"),
    (InvalidInput("a", "b"), "GET", 400, "invalid_input"),
    (InvalidInput("a", "b", code="not_in_catalog"), "POST", 422, "not_in_catalog"),
    (InvalidInput("a", "b", code="retired"), "POST", 410, "retired"),
    (BadParameter("a", "b"), "POST", 400, "invalid_parameter"),
    (NotFound("x"), "GET", 404, "not_found"),
    (Conflict("x"), "POST", 409, "conflict"),
    (IllegalTransition("x"), "POST", 409, "conflict"),
    (StoreUnavailable("planted"), "GET", 503, "store_unavailable"),
    (StoreError("planted"), "GET", 500, "internal_error"),
    (UpstreamUnavailable("content", "planted", retry_after=9.4), "GET", 503, "upstream_unavailable"),
    (UpstreamRejected("content", "planted"), "GET", 502, "upstream_rejected"),
    (ConfigurationError(["planted"]), "GET", 500, "internal_error"),
    (MethodNotAllowedException(headers={"allow": "GET"}), "PUT", 405, "method_not_allowed"),
    (HTTPException(status_code=418), "GET", 418, "i'm_a_teapot"),
    (InternalServerException("planted"), "GET", 500, "internal_error"),
    (ValueError("planted"), "GET", 500, "internal_error"),
]


@pytest.mark.parametrize(("error", "method", "status", "code"), CASES, ids=lambda case: repr(case)[:40])
def test_each_error_has_its_answer(error: Exception, method: str, status: int, code: str) -> None:
    failure = explain(error, method)
    assert (failure.status, failure.code) == (status, code)
    assert b"planted" not in failure.body("/x")
    assert ("retry-after" in dict(failure.headers)) == (status == 503)


def test_waiting_is_told_in_whole_seconds() -> None:
    assert dict(explain(UpstreamUnavailable("x", "y", retry_after=9.4), "GET").headers)["retry-after"] == "9"
    assert dict(explain(UpstreamUnavailable("x", "y", retry_after=0.1), "GET").headers)["retry-after"] == "1"


def test_what_is_allowed_is_told() -> None:
    assert explain(MethodNotAllowedException(headers={"allow": "GET"}), "PUT").headers == (("allow", "GET"),)


def test_a_path_is_an_instance_whatever_is_in_it() -> None:
    problem: Problem = explain(NotFound("x"), "GET").problem('/a b/"é')
    assert problem.instance == "/a%20b/%22%C3%A9"
