"""Whatever strangers send, the shop answers with a documented refusal or does it.

Each file has a few examples for every run, and many more for the long proofs.
"""
