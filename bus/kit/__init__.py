"""What all domains share of the language: messages, values, ids, refusals."""
