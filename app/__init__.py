"""ASGI application and command line. No other package imports this one."""
