"""What messaging does: it queues mails and SMS, and hands them over in batches."""

from actors.messaging.decisions import next_attempt
from actors.messaging.domain import Messaging

__all__ = ["Messaging", "next_attempt"]
