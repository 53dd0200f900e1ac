"""How the world reaches the shop: one file of bodies and routes a domain."""
