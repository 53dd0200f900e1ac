"""The sandbox bank: a payment provider of its own, with its own database and process.

It knows nothing of the shop. It takes many charges a call, answers each as soon as it
is known, and can be slow, silent, wrong or failing on demand.
"""
