"""Every error flawsmith raises on purpose.

FlawsmithError
├── DataError          the images, masks or folders given are not usable
│   ├── LayoutError    no reader recognises the folder, or two of them do
│   ├── ImageError     one file cannot be read, or has the wrong size, depth or channels
│   └── LeakError      something from the test split was about to be used for learning
├── SettingsError      a setting is unknown, or its value impossible
├── RegistryError      a name is not registered, or registered twice
├── StageError         a stage's input is missing, changed, or made by another version
├── TrainingError      learning cannot go on (non-finite loss, nothing to learn from)
└── QuotaError         too few generated samples pass the gates

Messages say what was got, what was expected, and what to do.
"""


class FlawsmithError(Exception):
    """Root of the tree: catch this to catch everything flawsmith raises on purpose."""


class DataError(FlawsmithError, ValueError):
    """The images, masks or folders given are not usable."""


class LayoutError(DataError):
    """No reader recognises a folder, or more than one does."""


class ImageError(DataError):
    """One image file cannot be read, or has the wrong size, depth or number of channels."""


class LeakError(DataError):
    """Something from the sealed test split was about to be used for learning."""


class SettingsError(FlawsmithError, ValueError):
    """A setting is unknown, or its value is impossible."""


class RegistryError(FlawsmithError, LookupError):
    """A name is not registered, or is registered twice."""


class StageError(FlawsmithError, RuntimeError):
    """A stage's input is missing, has changed, or was made by something else."""


class TrainingError(FlawsmithError, RuntimeError):
    """Learning cannot go on: the loss is not finite, or there is nothing to learn from."""


class QuotaError(FlawsmithError, RuntimeError):
    """Too few generated samples pass the gates to meet the quota."""
