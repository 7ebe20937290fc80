"""What a storage raises."""


class StorageError(Exception):
    """Base of everything a storage raises; ``str()`` says what happened to which key."""


class InvalidKeyError(StorageError, ValueError):
    """Raised when a key is not a plain relative path, or cannot stand beside the keys that exist."""


class FileMissingError(StorageError):
    """Raised when no file is stored under a key."""


class StorageFullError(StorageError):
    """Raised when a disk, a quota or a file-size limit leaves no room; nothing of the file is kept."""


class StorageUnavailableError(StorageError):
    """Raised when the disk or the S3 server fails or cannot be reached; trying later may help."""


class WriterReplacedError(StorageError):
    """Raised when a writer goes on with a file that a later one has taken over."""


class StorageConfigurationError(StorageError):
    """Raised when the storage URL is wrong, the bucket is missing or the credentials are refused."""
