"""The launcher: starts, ends and shows a whole shop on one machine."""
