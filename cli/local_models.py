"""Models as a command finds them that asks no server."""

from ml_models.catalog import MLModelSpec, find_spec
from ml_models.config_fields import NAME_PREFIX
from ml_models.errors import UnknownModelError


def find_local_spec(name: str) -> MLModelSpec:
    """The model of that name; uploaded ones, which only a server knows, are not among them.

    Raises:
        UnknownModelError: There is none; the message says where uploaded ones are, if it may be one.
        PluginError: As `find_spec`.
    """
    try:
        return find_spec(name)
    except UnknownModelError as error:
        if not name.startswith(NAME_PREFIX):
            raise
        raise UnknownModelError(
            f"there is no model {name!r} here: uploaded models live on the server, where `framewise analyze` "
            "and the API use them; this command knows those of this installation and of its models folder"
        ) from error
