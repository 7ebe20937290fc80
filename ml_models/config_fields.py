"""The YAML in which somebody says what a model of their own is: its fields, read one by one.

Every family of such models reads its configuration through `ConfigFields`, so all of them look alike:
``name``, ``family``, ``labels``, what is for people, the two confidences, and what the family adds.
"""

import re
from collections.abc import Mapping
from typing import Any

from ml_models.coco import COCO_LABELS
from ml_models.errors import ModelConfigError
from ml_models.naming import near_misses

NAME_PREFIX = "own-"
"""How the name of each such model begins, so that it never is that of a model of the catalogue."""

MAX_CONFIG_BYTES = 64 * 2**10

DETECTION_TASKS = ("OBJECT_DETECTION", "PERSON_DETECTION", "FACE_DETECTION")

_NAME = re.compile(r"own-[a-z0-9][a-z0-9._-]{0,58}")
_MAX_LABELS = 10_000
_MAX_LABEL_LENGTH = 64
_MAX_TEXT_LENGTH = 500
_MAX_SIDE = 4096


def load_mapping(text: str) -> Mapping[Any, Any]:
    """The fields in a YAML text.

    Raises:
        ModelConfigError: It is too long, or no YAML mapping, or a key is there twice.
    """
    import yaml  # here, because the API process knows configurations and reads no YAML

    if len(text.encode()) > MAX_CONFIG_BYTES:
        raise ModelConfigError("config", f"is longer than {MAX_CONFIG_BYTES} bytes")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _refuse_repeated_keys(node)
        values = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = str(error).replace("\n", " ")[:300]
        raise ModelConfigError("config", f"is no YAML: {problem}") from error
    if not isinstance(values, dict):
        raise ModelConfigError("config", "must be a YAML mapping of fields, such as 'family: yolox'")
    return values


def _refuse_repeated_keys(root: Any) -> None:
    """YAML itself would take the last of them without a word."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue
        seen.add(id(node))
        keys = set()
        for part in node.value:
            if not isinstance(part, tuple):
                waiting.append(part)
                continue
            key, value = part
            if isinstance(key.value, str) and key.value in keys:
                raise ModelConfigError(key.value[:64], "is there twice: remove one of them")
            keys.add(key.value if isinstance(key.value, str) else id(key))
            waiting.append(value)


class ConfigFields:
    """Takes the fields of a configuration one by one; a field that is wrong raises ModelConfigError."""

    def __init__(self, values: Mapping[Any, Any]) -> None:
        self._values = values
        self._known: list[str] = []

    def refuse_unknown(self) -> None:
        """To be called after all fields were taken: what is left is a misspelling."""
        for key in self._values:
            if key not in self._known:
                hint = near_misses(str(key)[:64], self._known)
                raise ModelConfigError(str(key)[:64], f"is no field of a configuration: {hint}")

    def take(self, field: str) -> Any:
        """The value as it is; None if it is not there."""
        self._known.append(field)
        return self._values.get(field)

    def name(self) -> str:
        """What users type."""
        value = self.take("name")
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise ModelConfigError(
                "name",
                f"must be {NAME_PREFIX!r} and then up to 59 small letters, digits and . _ -, "
                f"such as {NAME_PREFIX}forklifts",
            )
        return value

    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in their order; the word ``coco`` stands for the 80 of COCO."""
        value = self.take("labels")
        if value == "coco":
            return COCO_LABELS
        if not isinstance(value, list) or not 1 <= len(value) <= _MAX_LABELS:
            raise ModelConfigError("labels", f"must be a list of 1 to {_MAX_LABELS} names, in class order")
        for label in value:
            if not isinstance(label, str) or not label.strip() or len(label) > _MAX_LABEL_LENGTH:
                shown = str(label)[:_MAX_LABEL_LENGTH]
                raise ModelConfigError(
                    "labels",
                    f"{shown!r} is no name of 1 to {_MAX_LABEL_LENGTH} characters (quote yes, no, 1)",
                )
            if not label.isprintable():
                raise ModelConfigError("labels", f"{label!r} has characters that cannot be shown")
        seen: set[str] = set()
        for label in value:
            if label in seen:
                raise ModelConfigError("labels", f"{label!r} is there twice")
            seen.add(label)
        return tuple(value)

    def text(self, field: str, default: str) -> str:
        """A text for people, or a name."""
        value = self.take(field)
        if value is None:
            return default
        if not isinstance(value, str) or len(value) > _MAX_TEXT_LENGTH or "\0" in value:
            raise ModelConfigError(field, f"must be a text of at most {_MAX_TEXT_LENGTH} characters")
        return value.strip()

    def choice(self, field: str, default: str, choices: tuple[str, ...]) -> str:
        """One of the choices, whatever its case."""
        value = self.take(field)
        if value is None:
            return default
        chosen = {choice.lower(): choice for choice in choices}.get(str(value).lower())
        if chosen is None:
            raise ModelConfigError(field, f"must be one of {', '.join(choices)}")
        return chosen

    def flag(self, field: str, default: bool) -> bool:
        """True or false."""
        value = self.take(field)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise ModelConfigError(field, "must be true or false")
        return value

    def number(self, field: str, default: float, least: float, most: float) -> float:
        """A number within bounds."""
        value = self.take(field)
        if value is None:
            return default
        if not _is_number(value) or not least <= value <= most:
            raise ModelConfigError(field, f"must be a number from {least:g} to {most:g}")
        return float(value)

    def triple(self, field: str, default: float) -> tuple[float, float, float]:
        """Three numbers, one a channel."""
        value = self.take(field)
        if value is None:
            return default, default, default
        if (
            not isinstance(value, list)
            or len(value) != 3
            or not all(_is_number(part) and abs(part) <= 1e6 for part in value)
        ):
            raise ModelConfigError(field, "must be a list of three numbers, one a channel of the input")
        return float(value[0]), float(value[1]), float(value[2])

    def size(self) -> tuple[int, int] | None:
        """Width and height of the input; None if they are not given."""
        value = self.take("input_size")
        if value is None:
            return None
        if (
            not isinstance(value, list)
            or len(value) != 2
            or not all(type(side) is int and 32 <= side <= _MAX_SIDE for side in value)
        ):
            raise ModelConfigError("input_size", f"must be [width, height], each from 32 to {_MAX_SIDE}")
        return value[0], value[1]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
