"""What every text, document and run of bytes in the databases is: of a person, or not.

Ids, numbers, moments and flags say nobody's name and need no line here. A new column
of any other kind stands in one of these lists, or the tests fail: whoever adds one
that is PERSONAL has its domain forget it, in the domain's `erasing` cell, and puts it
into the export.
"""

PERSONAL = {
    "users": {
        *("claims.value", "users.email", "users.first_name", "users.last_name"),
        *("users.phone", "users.password_hash", "users.locale"),
        *("addresses.name", "addresses.line1", "addresses.line2", "addresses.city"),
        *("addresses.region", "addresses.postal_code", "addresses.country"),
        *("addresses.company", "addresses.phone"),
        *("codes.code_hash", "login_tries.client_hash", "sessions.client_hash"),
        *("sessions.secret_hash", "sessions.previous_hash", "sessions.nonce"),
        *("identities.issuer", "identities.subject"),
    },
    "products": {"reviews.title", "reviews.comment", "reviews.reason"},
    "orders": {
        *("carts.lines", "carts.given", "orders.shipping", "orders.email"),
        *("orders.token_hash", "orders.links"),
    },
    "payments": {"payment_methods.sealed", "refunds.reason"},
    "inventory": set(),
    "notifications": {
        *("notifications.title", "notifications.body", "notifications.data"),
        "preferences.choices",
    },
    "files": {"files.entity_id", "files.renditions"},
    "messaging": {
        *("messages.recipient", "messages.data", "messages.reason", "messages.locale"),
        *("messages.tries", "mailbox.recipient", "mailbox.content"),
        *("suppressions.address", "suppressions.reason", "erased_recipients.hash"),
    },
}
"""Columns that say who somebody is, or what they said; erasing empties them."""

HARMLESS = {
    "*": {
        *("claims.kind", "due.name", "due.kind", "due.message", "stream.created"),
        "incarnations.name",
        *("handled.body_hash", "handled.resume_kind", "handled.resume"),
        *("handled.answer", "outbox.subject", "outbox.payload", "sequences.subject"),
        *("audit.action", "audit.actor", "audit.entity", "audit.before"),
        *("audit.after", "audit.request_id", "audit_days.kind", "audit_days.name"),
    },
    "users": {"users.role", "users.status", "codes.purpose"},
    "products": {
        *("removals.name", "removals.key"),
        *("categories.name", "categories.slug", "claims.value", "sku_stock.sku"),
        *("products.name", "products.slug", "products.description"),
        *("products.status", "products.options", "products.images"),
        *("products.currency", "products.search", "reviews.status"),
        *("variants.sku", "variants.options", "variants.currency"),
        *("variants.barcode", "prices.sku", "prices.currency"),
        *("categories.search", "variants.pairs", "products.pairs"),
        *("search_words.word", "search_words.deletions", "option_spellings.name"),
        *("option_spellings.value", "option_spellings.pair"),
        # An imported catalogue says what is for sale; its pieces go once it is read.
        *("imports.status", "import_pieces.data", "import_issues.field"),
        *("import_issues.code", "import_issues.detail"),
    },
    "orders": {
        *("removals.name", "removals.key"),
        *("cart_merges.buyer", "cart_merges.guest", "carts.buyer", "carts.state"),
        *("carts.merged_into", "claims.value", "order_lines.sku", "order_lines.name"),
        *("order_lines.options", "order_lines.image", "order_lines.status"),
        *("orders.number", "orders.buyer", "orders.status", "orders.stage"),
        *("orders.method", "orders.token", "orders.payment_status"),
        *("orders.currency", "orders.refusal", "orders.cancel_reason"),
        *("product_replica.sku", "product_replica.name", "product_replica.options"),
        *("product_replica.currency", "product_replica.image"),
        *("shipments.carrier", "shipments.tracking_number", "shipments.items"),
        *("orders.shipments", "timeline.status", "timeline.actor", "timeline.reason"),
    },
    "payments": {
        *("removals.name", "removals.key"),
        *("attempts.status", "attempts.provider", "attempts.method"),
        *("attempts.sealed", "attempts.decline_code", "attempts.reference"),
        *("claims.value", "discrepancies.provider", "discrepancies.transaction"),
        *("discrepancies.kind", "discrepancies.currency", "ledger_lines.account"),
        *("ledger_lines.currency", "payment_methods.method"),
        *("payment_methods.provider", "payment_methods.sealed_by"),
        *("payments.currency", "payments.method", "providers.name"),
        *("reconciliations.provider", "refunds.status", "refunds.reason_code"),
        "refunds.reference",
    },
    "inventory": {
        *("removals.name", "removals.key"),
        *("claims.value", "holds.sku", "holds.state", "holds.parts", "levels.sku"),
        *("movements.sku", "movements.kind", "movements.reason", "stock.sku"),
        *("timed_holds.sku", "warehouses.code", "warehouses.name"),
        *("transfers.status", "transfers.lines", "transfers.reason"),
        "transfers.refusal",
    },
    "notifications": {
        *("claims.value", "notifications.type"),
        *("removals.name", "removals.key"),
    },
    "files": {"claims.value", "files.entity_type", "files.media_type"},
    "messaging": {
        *("removals.name", "removals.key"),
        *("claims.value", "mailbox.channel", "mailbox.message_id", "messages.channel"),
        *("messages.template", "messages.status", "email_templates.name"),
        *("email_templates.locale", "email_templates.subject", "email_templates.mjml"),
        *("email_templates.text", "email_templates.description"),
        "email_templates.sample",
    },
}
"""Columns of goods, places, states, codes and ids; `*` are the kit's, ids by rule."""
