"""The gateway in this process, with an asker made by hand."""
