"""Every error that probekit raises on purpose, in one tree.

::

    ProbekitError                 base: ``except probekit.ProbekitError`` catches everything below
    ├── InputError (ValueError)   the caller can fix it; the command line exits with 2
    │   ├── ModelError            a source that cannot be loaded, or whose anatomy is unknown
    │   │   └── ChecksumError     model files whose SHA-256 is not the pinned one
    │   ├── CorpusError           a corpus that cannot be read or is not parallel
    │   │   └── LanguageError     an unknown, invalid or missing language
    │   ├── StudyError            a configuration that cannot run, or another study's folder
    │   ├── RunError              a run directory with a missing, altered or newer file
    │   └── RuleError             an unknown selection rule, or parameters outside its domain
    ├── NumericalError            NaN or infinity in a model's activations (layer and unit named)
    ├── StorageError (OSError)    the disk is full or the folder cannot be written
    └── InterruptedRun            stopped by the user; the same command resumes (exit 3)

A message names the argument, the rule, the value and the way out, in one line.
"""


class ProbekitError(Exception):
    """Base of every error that probekit raises on purpose."""


class InputError(ProbekitError, ValueError):
    """Something the caller gave is wrong and can be put right."""


class ModelError(InputError):
    """A model source that cannot be loaded or understood."""


class ChecksumError(ModelError):
    """A model file whose SHA-256 differs from the pinned one."""


class CorpusError(InputError):
    """A corpus that cannot be read, or that is not parallel."""


class LanguageError(CorpusError):
    """An invalid code, or a language that the corpus does not have."""


class StudyError(InputError):
    """A study that cannot run as configured."""


class RunError(InputError):
    """A run directory that is incomplete, altered or of another format."""


class RuleError(InputError):
    """A selection rule that does not exist, or parameters outside its domain."""


class NumericalError(ProbekitError):
    """NaN or infinity where a number was due."""


class StorageError(ProbekitError, OSError):
    """Results could not be written."""


class InterruptedRun(ProbekitError):  # noqa: N818 - an interruption is not an error of anyone
    """The user stopped a run that can be resumed."""
