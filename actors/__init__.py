"""What is done: each domain's decisions and handlers, and the kit that runs them."""

DOMAINS = {
    "users": "actors.users:Users",
    "products": "actors.products:Products",
    "orders": "actors.orders:Orders",
    "payments": "actors.payments:Payments",
    "inventory": "actors.inventory:Inventory",
    "notifications": "actors.notifications:Notifications",
    "files": "actors.files:Files",
    "messaging": "actors.messaging:Messaging",
}
"""The table of domains: a ninth one is four cells, a migration and a line here."""

AUDITOR = "actors.auditing.standing:Auditor"
"""Who compares what the domains say: above them all, and asked by nobody."""
