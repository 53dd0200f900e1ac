"""What the shop says of itself: metrics, traces, reports of bugs, logs."""
