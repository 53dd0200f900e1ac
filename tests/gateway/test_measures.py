"""What an operator sees in `/metrics` of money that does not agree."""

from uuid import uuid4

from bus.kit.metrics import Family
from bus.payments import (
    DiscrepancyKind,
    ProviderFailing,
    ProviderRecovered,
    ReconciliationMismatch,
)
from serve_app.app import counting
from serve_app.kit.measures import TOLD_LABELS_MAX, Measures


def mismatch(transaction: str) -> ReconciliationMismatch:
    return ReconciliationMismatch(
        provider="sandbox",
        reconciliation_id=uuid4(),
        difference=DiscrepancyKind.MISSING_HERE,
        transaction=transaction,
        payment_id=None,
    )


def test_differences_and_failing_providers_are_measured() -> None:
    measures = Measures("r1")
    calls = dict(counting(measures))
    for transaction in ("a", "b"):
        calls[ReconciliationMismatch](mismatch(transaction))
    calls[ProviderFailing](ProviderFailing(provider="sandbox", failures=5))
    text = measures.text(0)
    labels = 'replica="r1",difference="MISSING_HERE",provider="sandbox"'
    assert f"souk_payments_mismatches_total{{{labels}}} 2\n" in text
    assert "# TYPE souk_payments_mismatches_total counter\n" in text
    failing = 'souk_payments_provider_failing{replica="r1",provider="sandbox"}'
    assert f"{failing} 1\n" in text
    calls[ProviderRecovered](ProviderRecovered(provider="sandbox"))
    assert f"{failing} 0\n" in measures.text(0)


def test_what_is_told_fills_no_memory() -> None:
    measures = Measures("r1")
    odd = Family(name="souk_odd_total", kind="counter", words="Odd.")
    for number in range(2 * TOLD_LABELS_MAX):
        measures.count(odd, number=str(number))
    assert measures.text(0).count("souk_odd_total{") == TOLD_LABELS_MAX
