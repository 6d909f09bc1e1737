"""Users and groups: the only code that writes them, for mutations, catalogue imports, OIDC and SCIM."""
