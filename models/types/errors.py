"""The errors Andon raises for its users.

::

    AndonError
    |-- InputError            what the user gave cannot be used
    |   |-- OptionError       an option or argument
    |   |-- ImageError        one image
    |   |-- DataError         a data set or folder
    |   |-- RecordError       one record of a signal
    |   |-- AssetError        a machine or what is said of it
    |   |-- BundleError       a deployable bundle
    |   |-- CodeError         the serial or identifier code of a part
    |   |-- LedgerError       a record, checkpoint or export of the ledger
    |   |-- SigningKeyError   a key that signs
    |   |-- ConflictError     something of that name or key is already there, for something else
    |   |-- NotFoundError     nothing that is kept has that name or identifier
    |   `-- MissingExtraError a part of Andon that is not installed
    `-- ResourceError         the disk, a device or a server failed
        `-- StorageFullError  there is no room left

An error carries a message code and its parameters; ``andon.models.messages`` turns them into Chinese or English at the edges.
"""

from typing import ClassVar

Param = str | int | float


class AndonError(Exception):
    """What went wrong with one subject: what was found, and what was expected.

    Parameters
    ----------
    code
        Key of the message in the catalogues, such as ``"image.truncated"``.
    subject
        The file, option or address it is about.
    params
        Values the message shows.
    """

    kind: ClassVar[str] = "error"

    def __init__(self, code: str, subject: str, **params: Param) -> None:
        self.code = code
        self.subject = subject
        self.params: dict[str, Param] = {"subject": subject, **params}
        super().__init__(code, self.params)

    def __str__(self) -> str:
        details = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.code} ({details})"


class InputError(AndonError):
    """What the user gave cannot be used."""

    kind = "input"


class OptionError(InputError):
    """A command-line option, setting or argument has a value that cannot be used."""


class ImageError(InputError):
    """One image cannot be used."""


class DataError(InputError):
    """A data set or folder cannot be used."""


class RecordError(InputError):
    """One record of a signal cannot be used."""


class AssetError(InputError):
    """A machine is not known, or what is said of it cannot be used."""


class BundleError(InputError):
    """A bundle is damaged, incomplete or of another version."""


class ConflictError(InputError):
    """Something of that name or key is already there, for something else."""


class NotFoundError(InputError):
    """Nothing that is kept has that name or identifier."""


class MissingExtraError(InputError):
    """A part of Andon is needed that is not installed."""


class ResourceError(AndonError):
    """The disk, a device or a server failed."""

    kind = "resource"


class StorageFullError(ResourceError):
    """There is no room left: what is kept stays, nothing more is taken."""
