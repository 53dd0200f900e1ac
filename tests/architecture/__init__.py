"""What holds for the whole tree, read from its text."""
