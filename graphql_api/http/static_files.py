"""The built pages and what they load."""

import os
import re

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

_HASHED_NAME = re.compile(r"assets/[^/]+-[A-Za-z0-9_-]{8}\.[a-z0-9]+")
"""As Vite names what it builds: another content has another name."""


class BuiltFiles(StaticFiles):
    """A folder that Vite built: browsers keep what has a hash in its name, and need not ask for it again."""

    @override
    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The answer with a file that is there."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        if _HASHED_NAME.fullmatch(self.get_path(scope)):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
