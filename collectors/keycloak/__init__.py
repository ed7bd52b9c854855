"""Keycloak, read through its admin API."""

from collectors.keycloak.login import Login
from collectors.keycloak.read import read_keycloak
from collectors.keycloak.settings import KeycloakSource

__all__ = ["KeycloakSource", "Login", "read_keycloak"]
