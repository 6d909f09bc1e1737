"""This room is what serves: the ASGI application and the command line. Nobody imports it."""
