"""Pools of threads."""

from __future__ import annotations

from . import _library as library
from ._errors import AttentionError
from ._library import Handle
from ._numbers import integer


class Threads:
    """A pool of ``count`` threads, the calling one included: 1 to 1024. What takes ``threads=None`` uses the pool of the process, which has
    one for each CPU that the process may use. Results have the same bits with any pool.

    Raises AttentionError where ``count`` is out of its range.
    """

    __slots__ = ("_handle",)

    def __init__(self, count: int):
        self._handle = Handle(library.threads_create, library.threads_destroy, integer(count, "count"))

    @property
    def count(self) -> int:
        """How many threads the pool has."""
        return library.thread_count(self._handle.pointer)

    def __repr__(self) -> str:
        return f"Threads({self.count})"


def thread_count() -> int:
    """How many threads the pool of the process has."""
    return library.thread_count(None)


def pool_of(threads) -> int | None:
    """The pointer of a pool, or None."""
    if threads is None:
        return None
    if not isinstance(threads, Threads):
        raise AttentionError("threads", f"{threads!r} given, expected a Threads or None")
    return threads._handle.pointer
