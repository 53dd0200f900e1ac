"""Accounts, sessions, profiles and addresses."""

from tests.edge.contract.route import Route
from tests.edge.front import HOUSE, PASSWORD

NEW_PASSWORD = "seven-quiet-otters-91"
NOBODY = "nobody@example.com"
PERSON = {"first_name": "Pat", "last_name": "Doe"}
LOGIN = {"email": "{email}", "password": PASSWORD}
# What the right code opens is in tests/users.
WRONG_CODE = {"email": NOBODY, "code": "000000"}

ROUTES = (
    Route(
        "POST /auth/register",
        "201 201 201 201 201 201 201",
        {"email": "{new_email}", "password": PASSWORD, **PERSON},
    ),
    Route("GET /auth/verify-email", "200 200 200 200 200 200 200"),
    Route("POST /auth/verify-email", "422 422 422 422 422 422 422", WRONG_CODE),
    Route(
        "POST /auth/resend-code",
        "202 202 202 202 202 202 202",
        {"email": NOBODY},
    ),
    Route("POST /auth/login", "200 200 200 200 200 200 200", LOGIN),
    Route(
        "POST /auth/refresh",
        "200 200 200 200 200 200 200",
        {"refresh_token": "{refresh_token}"},
    ),
    Route("POST /auth/logout", "401 401 204 204 204 204 204"),
    Route("POST /auth/logout-all", "401 401 204 204 204 204 204"),
    Route(
        "POST /auth/forgot-password",
        "202 202 202 202 202 202 202",
        {"email": NOBODY},
    ),
    Route("GET /auth/reset-password", "200 200 200 200 200 200 200"),
    Route(
        "POST /auth/reset-password",
        "422 422 422 422 422 422 422",
        {**WRONG_CODE, "new_password": NEW_PASSWORD},
    ),
    Route(
        "POST /auth/change-password",
        "401 401 204 204 204 204 204",
        {"current_password": PASSWORD, "new_password": NEW_PASSWORD},
    ),
    # This shop has no issuer; what one opens is in tests/users.
    Route("GET /auth/google/sign", "404 404 404 404 404 404 404"),
    Route("GET /auth/google/callback", "422 422 422 422 422 422 422"),
    Route("GET /users/profile", "401 401 200 200 200 200 200"),
    Route("PUT /users/profile", "401 401 200 200 200 200 200", PERSON),
    # It takes a session that has just begun: who has one leaves in test_leaving.
    Route("DELETE /users/profile", "401 401 403 403 403 403 403"),
    Route("GET /users/export", "401 401 200 200 200 200 200"),
    Route("GET /users/addresses", "401 401 200 200 200 200 200"),
    Route("POST /users/addresses", "401 401 201 201 201 201 201", HOUSE),
    Route(
        "PUT /users/addresses/{address_id}",
        "401 401 200 404 404 404 404",
        HOUSE,
    ),
    Route("DELETE /users/addresses/{address_id}", "401 401 204 404 404 404 404"),
    Route("GET /users", "401 401 403 403 403 403 200"),
    Route(
        "PUT /users/{user_id}/role",
        "401 401 403 403 403 403 200",
        {"role": "SELLER"},
    ),
    Route(
        "PUT /users/{user_id}/status",
        "401 401 403 403 403 403 200",
        {"status": "BLOCKED"},
    ),
)
