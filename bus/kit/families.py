"""The table of all metrics that the shop tells; `/metrics` and its page follow it."""

from bus.kit.metrics import Family

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
LAG_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_GATEWAY = ("replica",)
_SHARD = ("domain", "shard")
_LANE = ("source", "domain", "shard", "lane")
_ASKS = ("source", "domain")
_BRIDGE = ("bridge",)
_CONSUMER = ("bridge", "domain")

FAMILIES: list[Family] = []


def _counter(name: str, words: str, *labels: str) -> Family:
    return _add(Family(name=name, kind="counter", words=words, labels=labels))


def _gauge(name: str, words: str, *labels: str) -> Family:
    return _add(Family(name=name, kind="gauge", words=words, labels=labels))


def _histogram(
    name: str, words: str, *labels: str, buckets: tuple[float, ...] = SECONDS
) -> Family:
    return _add(
        Family(name=name, kind="histogram", words=words, labels=labels, buckets=buckets)
    )


def _add(family: Family) -> Family:
    FAMILIES.append(family)
    return family


# --- the edge ---------------------------------------------------------------

HTTP_REQUESTS = _counter(
    "souk_http_requests_total",
    "Requests answered.",
    *(*_GATEWAY, "method", "route", "status", "domain"),
)
HTTP_SECONDS = _histogram(
    "souk_http_request_seconds",
    "Time from a request's head to its answer's end.",
    *(*_GATEWAY, "route", "domain"),
)
IN_FLIGHT = _gauge("souk_gateway_in_flight", "Requests being worked on.", *_GATEWAY)
BUSY = _counter("souk_gateway_busy_total", "Requests refused as busy.", *_GATEWAY)
LIMITED = _counter(
    "souk_gateway_limited_total", "Requests past a rate limit.", *_GATEWAY, "limit"
)
LIMITS_ALONE = _gauge(
    "souk_gateway_limits_alone",
    "1 while this replica cannot tell the others what it let pass.",
    *_GATEWAY,
)
NEAR_HITS = _counter("souk_gateway_near_hits_total", "Answers from memory.", *_GATEWAY)
NEAR_MISSES = _counter(
    "souk_gateway_near_misses_total", "Near routes not there.", *_GATEWAY
)
NEAR_BYTES = _gauge(
    "souk_gateway_near_bytes", "Bytes of answers kept in memory.", *_GATEWAY
)
STREAMS_OPEN = _gauge("souk_gateway_streams_open", "Event streams now open.", *_GATEWAY)
STREAMS_REFUSED = _counter(
    "souk_gateway_streams_refused_total",
    "Event streams that found no place.",
    *_GATEWAY,
)
STREAM_LOOKS = _counter(
    "souk_gateway_stream_looks_total",
    "Times that event streams asked for more.",
    *_GATEWAY,
)
STREAM_EVENTS = _counter(
    "souk_gateway_stream_events_total", "Events sent on streams.", *_GATEWAY
)
STREAMS_ENDED = _counter(
    "souk_gateway_streams_ended_total",
    "Event streams that ended, by why.",
    *(*_GATEWAY, "reason"),
)

# --- asks and lanes ---------------------------------------------------------

ASKS = _counter(
    "souk_asks_total",
    "Asks of a domain that ended, by how (a reply, or another of the four ends).",
    *(*_ASKS, "end"),
)
ASK_SECONDS = _histogram(
    "souk_ask_seconds", "Time from an ask of a domain to its end.", *_ASKS
)
LANE_ENVELOPES = _counter(
    "souk_lane_envelopes_total", "Envelopes sent to a shard.", *_LANE
)
LANE_MESSAGES = _counter(
    "souk_lane_messages_total", "Messages in the envelopes sent to a shard.", *_LANE
)
LANE_UNDER_WAY = _gauge(
    "souk_lane_envelopes_under_way", "Envelopes sent and not answered.", *_LANE
)
LANE_WAITING = _gauge(
    "souk_lane_waiting_messages", "Messages that wait for the next envelope.", *_LANE
)
LANE_WAITING_BYTES = _gauge(
    "souk_lane_waiting_bytes", "Bytes of the messages that wait.", *_LANE
)
LANE_REFUSED = _counter(
    "souk_lane_refused_total", "Messages refused because too much waits.", *_LANE
)
LANE_RESENDS = _counter(
    "souk_lane_resends_total", "Messages sent again after a shard died.", *_LANE
)
LANE_REPLACED = _counter(
    "souk_lane_replaced_total", "Times that a silent shard was replaced.", *_LANE
)

# --- shards -----------------------------------------------------------------

SHARD_UP = _gauge(
    "souk_shard_up",
    "1 for a shard that told its metrics in time, or that a standby answers for.",
    *_SHARD,
)
SHARD_SLOTS = _gauge("souk_shard_slots", "Slots that the shard owns.", *_SHARD)
SHARD_QUEUE = _gauge("souk_shard_queue", "Steps that wait for a batch.", *_SHARD)
SHARD_ENTITIES = _gauge("souk_shard_entities", "Entities kept in memory.", *_SHARD)
SHARD_PROCESSES = _gauge("souk_shard_processes", "Processes not finished.", *_SHARD)
SHARD_MESSAGES = _counter(
    "souk_shard_messages_total",
    "Messages taken in, by type.",
    *(*_SHARD, "message"),
)
SHARD_REFUSALS = _counter(
    "souk_shard_refusals_total",
    "Steps that were refused, by the refusal's code.",
    *(*_SHARD, "code"),
)
SHARD_FAILURES = _counter(
    "souk_shard_failures_total",
    "Messages that failed by a bug, by type.",
    *(*_SHARD, "message"),
)
SHARD_TAKEOVERS = _counter(
    "souk_shard_takeovers_total",
    "Times that this process took its slots over.",
    *_SHARD,
)
SHARD_FENCED = _counter(
    "souk_shard_fenced_total", "Times that a newer one had taken the slots.", *_SHARD
)
STANDBY_UP = _gauge(
    "souk_standby_up", "1 for a standby that told its metrics in time.", "standby"
)
STANDBY_HOLDS = _gauge(
    "souk_standby_holds", "Shards that the standby answers for now.", "standby"
)
STANDBY_ADOPTED = _gauge(
    "souk_standby_adopted",
    "1 for each shard that the standby answers for now.",
    *("standby", "domain", "shard"),
)
STANDBY_ADOPTIONS = _counter(
    "souk_standby_adoptions_total",
    "Times that the standby took over a shard whose process had died.",
    *("standby", "domain"),
)
BATCHES = _counter("souk_batches_total", "Batches run.", *_SHARD)
BATCH_MESSAGES = _histogram(
    "souk_batch_messages", "Steps in a batch.", *_SHARD, buckets=SIZES
)
BATCH_SECONDS = _histogram(
    "souk_batch_seconds", "Time that a batch took, with all its tries.", *_SHARD
)
TRANSACTION_SECONDS = _histogram(
    "souk_transaction_seconds", "Time of a batch's transaction that committed.", *_SHARD
)
BATCH_HALVINGS = _counter(
    "souk_batch_halvings_total", "Times that a batch was run again in halves.", *_SHARD
)
QUERY_SECONDS = _histogram(
    "souk_query_seconds", "Time of a round of queries, with its connection.", *_SHARD
)

# --- databases --------------------------------------------------------------

DATABASE_SIZE = _gauge(
    "souk_database_pool_connections", "Read connections that are open.", *_SHARD
)
DATABASE_IN_USE = _gauge(
    "souk_database_pool_in_use", "Read connections that are in use.", *_SHARD
)
DATABASE_WAITING = _gauge(
    "souk_database_pool_waiting", "Reads that wait for a connection.", *_SHARD
)
DATABASE_ACQUIRE = _histogram(
    "souk_database_acquire_seconds", "Time that a read waited for one.", *_SHARD
)
DATABASE_LOST = _counter(
    "souk_database_lost_total", "Times that the write connection was lost.", *_SHARD
)

# --- facts ------------------------------------------------------------------

OUTBOX_WAITING = _gauge(
    "souk_outbox_waiting", "Events committed and not published yet.", *_SHARD
)
OUTBOX_PUBLISHED = _counter(
    "souk_outbox_published_total", "Events that the stream has acknowledged.", *_SHARD
)
OUTBOX_FAILURES = _counter(
    "souk_outbox_failures_total", "Times that publishing had to wait.", *_SHARD
)
OUTBOX_LAG = _histogram(
    "souk_outbox_lag_seconds",
    "Time from the commit of events to their acknowledgement by the stream.",
    *_SHARD,
    buckets=LAG_SECONDS,
)
PARTITIONS_OVERDUE = _gauge(
    "souk_partitions_overdue",
    "Days of rows past their time that stay: events not published, processes not over.",
    *_SHARD,
)
BRIDGE_UP = _gauge(
    "souk_bridge_up", "1 for a bridge that told its metrics in time.", *_BRIDGE
)
BRIDGE_CONNECTED = _gauge(
    "souk_bridge_connected", "1 while the bridge is connected to NATS.", *_BRIDGE
)
BRIDGE_PUBLISHED = _counter(
    "souk_bridge_published_total", "Events that the stream has stored.", *_BRIDGE
)
BRIDGE_PUBLISH_SECONDS = _histogram(
    "souk_bridge_publish_seconds",
    "Time from handing events to the stream to its acknowledgement.",
    *_BRIDGE,
)
CONSUMER_DELIVERED = _counter(
    "souk_consumer_delivered_total", "Events that a domain has handled.", *_CONSUMER
)
CONSUMER_UNDER_WAY = _gauge(
    "souk_consumer_under_way", "Entities with events under way.", *_CONSUMER
)
CONSUMER_RETRIES = _counter(
    "souk_consumer_retries_total", "Events that had to be tried again.", *_CONSUMER
)
CONSUMER_LAG = _histogram(
    "souk_consumer_lag_seconds",
    "Time from an event's place in the stream to its effect in a domain.",
    *_CONSUMER,
    buckets=LAG_SECONDS,
)
DEAD_LETTERS = _counter(
    "souk_dead_letters_total", "Events put aside as dead letters.", *_CONSUMER
)
DEAD_ENTITIES = _gauge(
    "souk_dead_entities", "Entities whose events lie aside.", *_CONSUMER
)
SERVICE_REQUESTS = _counter(
    "souk_service_requests_total",
    "Requests over NATS, by subject.",
    *(*_BRIDGE, "subject"),
)
SERVICE_ERRORS = _counter(
    "souk_service_errors_total",
    "Requests over NATS that ended in an error, by subject.",
    *(*_BRIDGE, "subject"),
)

# --- the standing audit -----------------------------------------------------

AUDITOR_UP = _gauge("souk_auditor_up", "1 while the auditor tells its metrics in time.")
AUDIT_FINDINGS = _counter(
    "souk_audit_findings_total",
    "Findings of the standing audit that stood, by check.",
    "check",
)
AUDIT_OPEN = _gauge("souk_audit_open_findings", "Findings that stand now.")
AUDIT_LOOKS = _counter(
    "souk_audit_looks_total", "Orders, SKUs and events compared.", "unit"
)
AUDIT_WAITING = _gauge(
    "souk_audit_waiting", "What was written and is not compared yet.", "unit"
)
AUDIT_AWAY = _counter(
    "souk_audit_away_total",
    "Times that a domain did not answer the auditor.",
    "domain",
)
AUDIT_ROUND_SECONDS = _histogram(
    "souk_audit_round_seconds", "Time of a round of the auditor, its rest aside."
)
AUDIT_WALK_AGE = _gauge(
    "souk_audit_walk_age_seconds", "Time since all rows were walked through."
)

# --- money, as events tell of it --------------------------------------------

MISMATCHES = _counter(
    "souk_payments_mismatches_total",
    "Differences between the ledger and a provider.",
    *(*_GATEWAY, "difference", "provider"),
)
PROVIDER_FAILING = _gauge(
    "souk_payments_provider_failing",
    "1 while a payment provider does not answer.",
    *(*_GATEWAY, "provider"),
)
