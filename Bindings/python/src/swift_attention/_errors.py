"""What calls raise."""

from __future__ import annotations


class AttentionError(ValueError):
    """An argument that does not fit the others, or a limit.

    ``argument`` is the name of the argument; the text says what was given and what was expected. Nothing was written.
    """

    argument: str

    def __init__(self, argument: str, problem: str):
        super().__init__(f"{argument}: {problem}")
        self.argument = argument

    def __reduce__(self):
        return type(self), (self.argument, str(self).removeprefix(f"{self.argument}: "))


class AttentionMemoryError(MemoryError):
    """The system has no memory for scratch, a cache or a result."""
