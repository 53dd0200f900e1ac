"""The provider `paypal`."""

from actors.payments.paypal.client import PayPal

__all__ = ["PayPal"]
