"""The JSON schema (draft 2020-12) of the configuration file, worked out from the table of names and the sections' shapes.

Editors complete and check a TOML file by it. It says what may be written, not what fits together: `execsvc config check`
does.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from execsvc.domain.riskrules import LIMITS, RiskRule
from execsvc.settings.limits import SCOPE
from execsvc.settings.names import NAMES, TIERS, Kind, Name
from execsvc.settings.sections import AccountTable, CallerTable

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
_AMOUNT: Schema = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "minLength": 1}]}


def schema() -> Schema:
    """Of the whole file."""
    shapes = _shapes()
    limits = _object(shapes["RiskRule"]["description"], _without(shapes["RiskRule"]["properties"], SCOPE))
    limits["properties"]["rules"] = {"type": "array", "items": {"$ref": "#/$defs/RiskRule"}}
    sections = {
        "tls": _object("Certificates of the doors.", _rows(each for each in NAMES if each.file_key.startswith("tls."))),
        "accounts": _named("Accounts at Kraken, by name.", "AccountTable"),
        "callers": _named("Callers, by name.", "CallerTable"),
        "risk": limits,
    }
    top = _rows(each for each in NAMES if each.in_file and "." not in each.file_key)
    head = {"$schema": DRAFT, "title": "execsvc configuration"}
    return (
        head | _object("Settings of execsvc serve; the environment wins over them.", top | sections) | {"$defs": shapes}
    )


def _rows(names: Iterable[Name]) -> Schema:
    return {each.file_key.rpartition(".")[2]: _of(each) for each in names}


def _of(name: Name) -> Schema:
    bounds: Schema = {"minimum": name.least} | ({} if name.most is None else {"maximum": name.most})
    shape: Schema
    match name.kind:
        case Kind.SWITCH:
            shape = {"type": "boolean"}
        case Kind.INTEGER:
            shape = {"type": "integer"} | bounds
        case Kind.SECONDS:
            shape = {"type": "number"} | bounds
        case Kind.AMOUNT:
            shape = _AMOUNT
        case Kind.FIGURES:
            shape = {"type": "object", "additionalProperties": {"type": "integer"} | bounds}
        case _:
            shape = {"enum": list(name.choices)} if name.choices else {"type": "string", "minLength": 1}
    return {"description": f"{name.what}; default: {name.default}"} | shape


def _shapes() -> Schema:
    """The sections' shapes as msgspec sees them, without what TOML has no word for, and closed to other keys."""
    _, components = msgspec.json.schema_components((AccountTable, CallerTable, RiskRule), ref_template="#/$defs/{name}")
    found = {name: _closed(_said(shape)) for name, shape in components.items()}
    found["AccountTable"]["properties"]["tier"] = {"enum": list(TIERS)}
    rule = found["RiskRule"]["properties"]
    rule["shadow"]["items"] = {"enum": list(LIMITS)}
    rule["max_orders_per_s"] = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "off"}]}
    return found


def _said(value: Any) -> Any:
    """Numbers instead of decimal texts, no null, no defaults, sentences on one line."""
    if isinstance(value, list):
        return [_said(each) for each in value]
    if not isinstance(value, dict):
        return " ".join(value.split()) if isinstance(value, str) else value
    if value.get("format") == "decimal":
        return _AMOUNT
    rest = {key: _said(each) for key, each in value.items() if key != "default"}
    some = [each for each in rest.get("anyOf", ()) if each != {"type": "null"}]
    return some[0] if "anyOf" in rest and len(some) == 1 else rest


def _closed(shape: Schema) -> Schema:
    return shape | {"additionalProperties": False} if "properties" in shape else shape


def _object(description: str, properties: Schema) -> Schema:
    return {"description": description, "type": "object", "properties": properties, "additionalProperties": False}


def _named(description: str, shape: str) -> Schema:
    return {"description": description, "type": "object", "additionalProperties": {"$ref": f"#/$defs/{shape}"}}


def _without(properties: Schema, names: Iterable[str]) -> Schema:
    return {key: value for key, value in properties.items() if key not in {*names}}
