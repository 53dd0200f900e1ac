"""A database in memory: the shop's own SQL, in transactions that can be cut anywhere.

`grammar` reads a statement, `expressions` and `statements` make functions of it,
`relations` holds rows with their locks, `server` the sessions, `client` what the kit
is given in the place of its connections.
"""
