"""Settings: frozen pydantic models beside their owner; one YAML file and `key=value` overrides set them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo

from flawsmith.core.errors import SettingsError
from flawsmith.core.registry import unknown


class Settings(BaseModel):
    """Base of every settings model: frozen, keyword only, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _keep_nested_defaults(cls, tree: Any) -> Any:
        """Let a part of a nested section change only that part: the rest keeps this model's default, not its type's."""
        if not isinstance(tree, Mapping):
            return tree
        return {name: _over_default(cls.model_fields.get(name), value) for name, value in tree.items()}


def _over_default(field: FieldInfo | None, value: Any) -> Any:
    default = field.default if field is not None else None
    if not isinstance(default, BaseModel) or not isinstance(value, Mapping):
        return value
    return {**{name: getattr(default, name) for name in default.model_fields_set}, **value}


Model = TypeVar("Model", bound=Settings)


def resolve(model: type[Model], file: Path | None = None, overrides: Iterable[str] = ()) -> Model:
    """Build `model` from its defaults, then a YAML file, then `key=value` pairs with dotted keys.

    Raises SettingsError for an unknown key (proposing the nearest), a value of the wrong type, or an unreadable file.
    """
    tree: dict[str, Any] = _read_yaml(file) if file else {}
    for pair in overrides:
        key, mark, text = pair.partition("=")
        if not mark:
            raise SettingsError(f"expected key=value, got {pair!r}; write for example {pair}=1")
        _put(tree, key.strip().lstrip("-").replace("-", "_").split("."), _parse(text))
    return validated(model, tree)


def validated(model: type[Model], tree: Mapping[str, Any]) -> Model:
    """Build `model` from nested names and values. Raises SettingsError as `resolve` does."""
    check_names(model, tree)
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise SettingsError("; ".join(_word(each) for each in error.errors())) from None


def check_names(model: type[BaseModel], tree: Mapping[str, Any], prefix: str = "") -> None:
    """Raise SettingsError for the first name in `tree` that `model` does not have, proposing the nearest."""
    for name, value in tree.items():
        if name not in model.model_fields:
            raise SettingsError(unknown("setting", prefix + str(name), [prefix + each for each in model.model_fields]))
        inner = nested_model(model.model_fields[name].annotation)
        if inner is not None and isinstance(value, Mapping):
            check_names(inner, value, f"{prefix}{name}.")


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """Return the settings model inside a field's annotation (`X` or `X | None`), or None."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def path_fields(model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields that hold the path of a file or folder, nested ones too, as pydantic's `exclude` takes them."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner = nested_model(field.annotation)
        if inner is not None and path_fields(inner):
            found[name] = path_fields(inner)
        elif Path in (field.annotation, *get_args(field.annotation)):
            found[name] = True
    return found


def given_paths(settings: BaseModel) -> dict[str, Path]:
    """Return every file and folder that settings name, by the dotted name of the setting."""
    found: dict[str, Path] = {}
    for name, inner in path_fields(type(settings)).items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel) and inner is not True:
            found |= {f"{name}.{part}": path for part, path in given_paths(value).items()}
        elif isinstance(value, Path):
            found[name] = value
    return found


def to_yaml(settings: BaseModel) -> str:
    """Return the resolved settings as YAML that `resolve` reads back to an equal object."""
    tree = settings.model_dump(mode="json")
    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    folds = any(each in text for each in "\x85\u2028\u2029")  # line breaks to YAML: written as they are, they get lost
    return str(yaml.safe_dump(tree, sort_keys=False)) if folds else text


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"cannot read the settings file {file}: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SettingsError(f"the settings file {file} holds a {type(tree).__name__}, expected names and values")
    return tree


def _parse(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"cannot read the value {text!r}: {error}") from None


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        inner = tree.setdefault(name, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"{name!r} already has the value {inner!r}; it cannot have parts as well")
        tree = inner
    tree[path[-1]] = value


def _word(error: Mapping[str, Any]) -> str:
    return f"setting {'.'.join(map(str, error['loc']))!r}: {error['msg']}, got {error['input']!r}"
