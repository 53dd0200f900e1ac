"""Dead letters by command line: which events are parked, and delivering them again."""
