"""Score modifiers: Python functions that the kernels call."""

from __future__ import annotations

from ctypes import c_double, c_float
from typing import Callable

from ._library import FLOAT64, MODIFIER


class Scores:
    """Scores of one query of one head with consecutive keys.

    ``values`` is a NumPy array over the engine's memory, float32 or float64. Change it in place, or assign to it, which writes there too; do not
    keep it: the memory goes on to other scores. ``values[n]`` belongs to key ``key + n``; ``position`` is the key that the query stands on.
    """

    __slots__ = ("_values", "key", "sequence", "head", "query", "position")

    def __init__(self, values, key: int, sequence: int, head: int, query: int, position: int):
        self._values = values
        self.key, self.sequence, self.head, self.query, self.position = key, sequence, head, query, position

    @property
    def values(self):
        return self._values

    @values.setter
    def values(self, changed) -> None:
        if changed is not self._values:
            self._values[...] = changed


class Modifier:
    """A function as the library calls it, and the first exception that came out of it."""

    __slots__ = ("callback", "error")

    def __init__(self, function: Callable[[Scores], None]):
        from numpy import ctypeslib

        self.error: BaseException | None = None

        def call(_, pointer):
            # Once it failed, the call's results are lost anyway.
            if self.error is not None:
                return
            try:
                scores = pointer.contents
                element = c_double if scores.type == FLOAT64 else c_float
                values = ctypeslib.as_array((element * scores.count).from_address(scores.scores))
                function(Scores(values, scores.key, scores.sequence, scores.head, scores.query, scores.position))
            except BaseException as error:  # No exception can pass through C, and the caller gets it.
                self.error = error

        self.callback = MODIFIER(call)

    def check(self) -> None:
        """Raises what the function raised. The callback holds the function, and this the callback: without it both go at once."""
        self.callback = None
        if self.error is not None:
            raise self.error
