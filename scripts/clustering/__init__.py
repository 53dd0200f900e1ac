"""Ray on a node of a cluster, with what the shop needs in its environment."""
