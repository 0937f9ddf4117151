"""The one way in which this project says no: what is wrong, where, and what to do about it."""

from __future__ import annotations


class BakeoffError(Exception):
    """A failure whose cause is known. Its text is written for the person who has to act on it.

    Args:
        what: the cause, in one sentence.
        where: the file, column, setting or address at fault.
        fix: the next step to take.
    """

    #: Would the same call, made again later, have a chance? Orchestrators read it to decide on a retry.
    transient = False

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what, where, fix)

    def __str__(self) -> str:
        return f"{self.what} (where: {self.where}). What to do: {self.fix}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders in every orchestrator; keyword-only arguments would not survive pickling.
        return _rebuild, (type(self), self.what, self.where, self.fix)


#: Errors of other code that no later call cures, for orchestrators that decide on a retry: bad values and broken code.
PERMANENT: tuple[type[Exception], ...] = (ImportError, ValueError, TypeError, ArithmeticError)


class ConfigError(BakeoffError):
    """The request makes no sense: an unknown window, a window with nothing before it to train on."""


class DataError(BakeoffError):
    """The data are not what their version says, or break the data contract."""


class StorageError(BakeoffError):
    """A folder cannot be written."""


class TrainingError(BakeoffError):
    """Candidates are missing that should have been trained."""


class TrackingError(BakeoffError):
    """The tracking server or its store does not answer."""

    transient = True


class RegistryError(BakeoffError):
    """The registry is not in the state that this step was told to expect."""


def _rebuild(kind: type[BakeoffError], what: str, where: str, fix: str) -> BakeoffError:
    return kind(what, where=where, fix=fix)
