"""What is printed when a shop is ready: its addresses and accounts."""

from scripts.launcher.keys import CREDENTIALS, read_credentials
from scripts.launcher.progress import Progress
from scripts.launcher.shop import Shop


def welcome(shop: Shop, show: Progress) -> None:
    """Show where everything is."""
    settings = shop.settings
    base = settings.public_url
    show.line(f"\n[bold]The shop is open[/] after {show.seconds():.1f} s\n")
    rows = [("shop", f"{base}/"), ("API", f"{base}/api")]
    if settings.profile == "development":
        rows.append(("mailbox", f"{base}/dev/mailbox"))
    rows.append(("NATS", f"nats://127.0.0.1:{settings.nats_port}"))
    rows.append(("data", str(settings.data_dir)))
    for name, where in rows:
        show.line(f"  {name:<10}{where}")
    show.line("\n  accounts (kept in " + str(settings.data_dir / CREDENTIALS) + ")")
    for name, account in read_credentials(settings.data_dir).items():
        show.line(f"  {name:<16}{_text(account)}")
    show.line("\n  Ctrl-C or scripts/down ends it; the data stays.")


def _text(account: object) -> str:
    if isinstance(account, dict):
        return "  ".join(str(value) for value in account.values())
    return str(account)
