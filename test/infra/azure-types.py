"""The types of resources that Microsoft's Python packages know, as JSON: of each, what is sent to Azure."""

import enum
import importlib
import inspect
import json
import re
import typing

# By the type of the resource: the package, its model, and where its operations say the API's version.
RESOURCES = {
    "Microsoft.DBforPostgreSQL/flexibleServers": ("postgresqlflexibleservers", "Server"),
    "Microsoft.DBforPostgreSQL/flexibleServers/administrators": (
        "postgresqlflexibleservers",
        "AdministratorMicrosoftEntraAdd",
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations": ("postgresqlflexibleservers", "Configuration"),
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": ("postgresqlflexibleservers", "Database"),
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": ("postgresqlflexibleservers", "FirewallRule"),
    "Microsoft.Network/privateDnsZones": ("privatedns", "PrivateZone"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": ("privatedns", "VirtualNetworkLink"),
    "Microsoft.Insights/actionGroups": ("monitor", "ActionGroupResource"),
    "Microsoft.Insights/scheduledQueryRules": ("monitor", "ScheduledQueryRuleResource"),
}

# Of the path, which the packages take as arguments.
NAME = {"shape": {"kind": "string"}, "isRequired": True}
PRIMITIVES = {"str": "string", "int": "int", "bool": "bool", "float": "int", "duration": "string", "rfc3339": "string"}


def shape_of(annotation):
    """Of a type hint."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union:
        parts = [part for part in parts if part is not type(None)]
        named = [part for part in parts if inspect.isclass(part) and issubclass(part, enum.Enum)]
        return shape_of(named[0] if named else parts[0])
    if origin in (list, typing.List):
        return {"kind": "array", "item": shape_of(parts[0])}
    if origin in (dict, typing.Dict):
        return {"kind": "object", "properties": {}, "others": shape_of(parts[1])}
    if inspect.isclass(annotation):
        if issubclass(annotation, enum.Enum):
            return {"kind": "string", "values": [item.value for item in annotation]}
        if any(base.__name__ == "Model" for base in annotation.__mro__):
            return model(annotation)
        if annotation.__name__ in PRIMITIVES:
            return {"kind": PRIMITIVES[annotation.__name__]}
    return {"kind": "any"}


def model(cls):
    """Of a package of the newer make, whose fields have type hints and say what they are called on the wire."""
    cls()  # which is when it looks at its fields
    models = importlib.import_module(cls.__module__)
    names = {**vars(models), "_models": importlib.import_module(cls.__module__.rpartition(".")[0]), "types": models}
    hints = {}
    for base in reversed(cls.__mro__):
        hints.update({name: (hint, base) for name, hint in vars(base).get("__annotations__", {}).items()})
    properties = {}
    for field, rest in cls._attr_to_rest_field.items():
        hint, base = hints[field]
        names = {**vars(importlib.import_module(base.__module__)), **names}
        annotation = eval(hint, names) if isinstance(hint, str) else resolve(hint, names)
        properties[rest._rest_name] = {
            "shape": shape_of(annotation),
            "isRequired": type(None) not in typing.get_args(annotation),
            "isReadOnly": rest._visibility == ["read"],
        }
    return {"kind": "object", "properties": properties}


def resolve(hint, names):
    """With the names within it looked up."""
    holder = type("Holder", (), {"__annotations__": {"field": hint}})
    return typing.get_type_hints(holder, names)["field"]


def older(models, cls):
    """Of a package of the older make, whose map of attributes has the places on the wire: properties.criteria."""
    root = {"kind": "object", "properties": {}}
    for attribute, entry in cls._attribute_map.items():
        rules = cls._validation.get(attribute, {})
        *path, last = entry["key"].split(".")
        target = root
        for part in path:
            target = target["properties"].setdefault(part, {"shape": {"kind": "object", "properties": {}}})["shape"]
        target["properties"][last] = {
            "shape": older_shape(models, cls, attribute, entry["type"]),
            "isRequired": rules.get("required", False) and not rules.get("readonly", False),
            "isReadOnly": rules.get("readonly", False),
        }
    return root


def older_shape(models, cls, attribute, kind):
    if kind.startswith("["):
        return {"kind": "array", "item": older_shape(models, cls, attribute, kind[1:-1])}
    if kind.startswith("{"):
        return {"kind": "object", "properties": {}, "others": older_shape(models, cls, attribute, kind[1:-1])}
    if kind == "str":
        # Which values there are, only the description says.
        known = re.search(rf":vartype {attribute}: str or\s+~[\w.]+\.(\w+)", cls.__doc__)
        return {"kind": "string", **({"values": [item.value for item in getattr(models, known[1])]} if known else {})}
    if kind in PRIMITIVES:
        return {"kind": PRIMITIVES[kind]}
    found = getattr(models, kind, None)
    return older(models, found) if hasattr(found, "_attribute_map") else {"kind": "any"}


def version_of(package, kind):
    """What the package sends as api-version for this type."""
    name = kind.rpartition("/")[2]
    operations = re.sub("([A-Z])", r"_\1", name).lower()
    module = importlib.import_module(f"azure.mgmt.{package}.operations._{operations}_operations" if package == "monitor" else f"azure.mgmt.{package}._configuration")
    pattern = r'"api-version", "(20[\d-]+)"' if package == "monitor" else r'"api_version", "(20[\d-]+)"'
    return re.search(pattern, inspect.getsource(module))[1]


result = {}
for kind, (package, name) in RESOURCES.items():
    models = importlib.import_module(f"azure.mgmt.{package}.models")
    cls = getattr(models, name)
    shape = older(models, cls) if hasattr(cls, "_attribute_map") else model(cls)
    shape["properties"]["name"] = NAME
    result[f"{kind}@{version_of(package, kind)}"] = shape
print(json.dumps(result))
