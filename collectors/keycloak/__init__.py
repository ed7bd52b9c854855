"""Keycloak, read through its admin API."""

from collectors.keycloak.settings import KeycloakSource

__all__ = ["KeycloakSource"]
