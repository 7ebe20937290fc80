"""What ends a command with a sentence instead of a traceback."""


class CliError(Exception):
    """Raised with a sentence for the person at the terminal: what is wrong and what to do.

    Args:
        message: The sentence.
        exit_code: What the process ends with; 2 for a wrong command line, 1 for the rest.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ServeError(CliError):
    """Raised when the server cannot be started."""


class DataDirInUseError(ServeError):
    """Raised when another server runs, starts or stops on the data folder."""


class ConnectionLostError(CliError):
    """Raised when the server does not answer; trying again may help."""


class RequestRefusedError(CliError):
    """Raised when the server answered with an error instead of a result.

    Args:
        message: The server's own sentence.
        code: The `code` of the error, if it has one.
        path: The argument it is about, if any.
    """

    def __init__(self, message: str, code: str | None = None, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.path = path


class SignInError(CliError):
    """Raised when the server does not accept who we say we are."""


class SettingsRefusedError(CliError):
    """Raised when the server does not accept what was asked for, whatever the video."""
