"""What keeps a shop running: messages and their templates, health, measures."""

from tests.edge.contract.route import Route

TEMPLATE = {
    "subject": "Hello",
    "mjml": "<mj-text>Hello</mj-text>",
    "text": "Hello",
}

ROUTES = (
    Route("GET /email-templates", "401 401 403 403 403 403 200"),
    Route(
        "POST /email-templates",
        "401 401 403 403 403 403 201",
        {"name": "{new_name}", **TEMPLATE},
    ),
    Route("GET /email-templates/{name}", "401 401 403 403 403 403 200"),
    Route("PUT /email-templates/{name}", "401 401 403 403 403 403 200", TEMPLATE),
    Route("DELETE /email-templates/{name}", "401 401 403 403 403 403 204"),
    Route(
        "POST /email-templates/{name}/preview",
        "401 401 403 403 403 403 200",
        {"subject": "Hello"},
    ),
    # What proves a report is in tests/messaging.
    Route("POST /messages/bounces", "403 403 403 403 403 403 403"),
    Route("POST /messages/webhooks/twilio", "403 403 403 403 403 403 403"),
    Route("GET /messages/suppressions", "401 401 403 403 403 403 200"),
    Route("DELETE /messages/suppressions/{address}", "401 401 403 403 403 403 204"),
    Route("GET /messages/{message_id}", "401 401 403 403 403 403 200"),
    Route("GET /messages", "401 401 403 403 403 403 200"),
    # It was sent, so there is nothing to retry: 409 `message-not-failed`.
    Route("POST /messages/{message_id}/retry", "401 401 403 403 403 403 409"),
    Route("GET /health/live", "200 200 200 200 200 200 200"),
    Route("GET /audit?limit=1", "401 401 403 403 403 403 200"),
    Route("GET /metrics", "200 200 200 200 200 200 200"),
    Route("GET /.well-known/jwks.json", "200 200 200 200 200 200 200"),
    Route("GET /dev/noop", "204 204 204 204 204 204 204"),
    Route("GET /dev/mailbox", "200 200 200 200 200 200 200"),
)
