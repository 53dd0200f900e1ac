"""What users show to who compares: that there is an account, and nothing of it."""

from persistence.kit.books import Books, Shown

BOOKS = Books(shown=(Shown("users", "id, ''", "id", watched=False),))
