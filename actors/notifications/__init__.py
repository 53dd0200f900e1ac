"""What notifications do: one fact becomes one notification, and its mail."""

from actors.notifications.domain import Notifications
from actors.notifications.tellings import chosen, of_low_stock, of_order, of_payment

__all__ = ["Notifications", "chosen", "of_low_stock", "of_order", "of_payment"]
