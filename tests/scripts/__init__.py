"""The launcher and the embedded servers."""
