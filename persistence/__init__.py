"""What is remembered: tables and all SQL, a module and a database a domain."""
