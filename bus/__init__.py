"""What is said: messages, refusals and events, a module a domain."""
