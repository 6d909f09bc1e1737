"""ASGI application and command line. The schema, resolvers, permissions and store never import this package."""
