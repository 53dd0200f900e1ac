"""Everything that is run by hand: the launcher, the embedded servers, tools."""
