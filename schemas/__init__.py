"""Every file format read or written, as JSON Schema; nothing else defines a format."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

__all__ = ["load", "validator"]


@cache
def load(name: str) -> dict[str, Any]:
    """Return the schema of one format, for example `openstack-event`.

    Raises FileNotFoundError for a format that has none.
    """
    schema: dict[str, Any] = json.loads((files(__name__) / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


@cache
def validator(name: str) -> jsonschema_rs.Validator:
    """Return the compiled validator of one format."""
    return jsonschema_rs.validator_for(load(name))
