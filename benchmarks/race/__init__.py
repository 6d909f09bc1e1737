"""Race of Atoll and other servers: same data, same authentication, answers compared."""
