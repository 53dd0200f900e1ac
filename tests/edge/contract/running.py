"""What keeps a shop running: the delivery log, health, measures."""

from tests.edge.contract.route import Route

ROUTES = (
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
