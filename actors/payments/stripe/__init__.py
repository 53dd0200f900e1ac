"""The provider `stripe`."""

from actors.payments.stripe.client import Stripe

__all__ = ["Stripe"]
