"""Caches: pages that hold keys and values of all layers of many sequences."""

from __future__ import annotations

import ctypes
import os

from . import _frames as frames
from . import _library as library
from ._errors import AttentionError
from ._frames import Frame
from ._key_values import KeyValues
from ._library import CacheSizes, Handle
from ._numbers import integer, integers


class Cache:
    """A pool of ``pages`` pages of ``page_size`` tokens each, with ``heads`` key/value heads of ``layers`` layers.

    ``depth`` is D and ``width`` Dv, 0 for D. ``keys`` and ``values`` say what rows are stored in: "float32", "bfloat16", "float16", "int8" (a scale a
    row), and for values "int4" (a scale for each 32 columns). Attention over a cache is attention over the numbers that are stored.

    Raises AttentionError for sizes that do not fit, AttentionMemoryError where the system has no memory for it.
    """

    __slots__ = ("_handle", "layers", "heads", "depth", "width", "page_size", "pages")

    def __init__(
        self,
        *,
        layers: int,
        heads: int,
        depth: int,
        pages: int,
        page_size: int = 64,
        width: int = 0,
        keys: str = "float32",
        values: str = "float32",
    ):
        self.layers, self.heads, self.depth = (
            integer(layers, "layers"),
            integer(heads, "heads"),
            integer(depth, "depth"),
        )
        self.width = integer(width, "width") or self.depth
        self.page_size, self.pages = integer(page_size, "page_size"), integer(pages, "pages")
        sizes = CacheSizes(
            self.layers,
            self.heads,
            self.depth,
            self.width,
            _storage(keys, "keys"),
            _storage(values, "values"),
            self.page_size,
            self.pages,
        )
        self._handle = Handle(library.cache_create, library.cache_destroy, sizes)

    @property
    def free_pages(self) -> int:
        """Pages that a step can have now."""
        return library.cache_free_pages(self._handle.pointer)

    def sequence(self) -> Sequence:
        """A sequence without tokens."""
        return Sequence(self, Handle(library.sequence_create, library.sequence_destroy, self._handle.pointer))

    def ring(self, window: int, *, keeping_first: int = 0, longest_append: int) -> Sequence:
        """A sequence that keeps its first tokens and a window before each query of a step, which takes ``longest_append`` tokens at most. Say what
        a query sees with ``causal=True, window=(window, None), keeping_first=keeping_first``: a wider window reads what the ring still has."""
        sizes = (
            integer(window, "window"),
            integer(keeping_first, "keeping_first"),
            integer(longest_append, "longest_append"),
        )
        return Sequence(
            self, Handle(library.sequence_create_ring, library.sequence_destroy, self._handle.pointer, *sizes)
        )

    def reusing(self, tokens) -> Sequence:
        """A sequence that starts with as many of these tokens as whole pages of the cache hold; ``len`` says how many."""
        kept, address, count = integers(tokens, "tokens")
        return Sequence(
            self,
            Handle(library.sequence_create_reusing, library.sequence_destroy, self._handle.pointer, address, count),
        )

    def load(self, path: str | os.PathLike) -> Sequence:
        """The sequence that ``Sequence.save`` wrote, into a cache of the same layers, heads, widths and types. Raises AttentionError for a file
        that is not there, cut, altered, or of other sizes; no page is taken then."""
        return Sequence(
            self, Handle(library.sequence_load, library.sequence_destroy, self._handle.pointer, _path(path))
        )


class Sequence:
    """Tokens of one sequence in a cache; ``len`` is how many, those of an open step not counted. Made by the methods of Cache."""

    __slots__ = ("cache", "_handle")

    def __init__(self, cache: Cache, handle: Handle):
        self.cache, self._handle = cache, handle

    def __len__(self) -> int:
        return library.sequence_count(self._handle.pointer)

    def __bool__(self) -> bool:
        return True

    def fork(self) -> Sequence:
        """Another sequence with the same tokens, in the same pages until one of both appends."""
        return Sequence(self.cache, Handle(library.sequence_fork, library.sequence_destroy, self._handle.pointer))

    def truncate(self, count: int) -> None:
        """Drops the tokens from ``count`` on. Raises AttentionError beyond the length, and of a ring where rows were overwritten."""
        library.check(library.sequence_truncate(self._handle.pointer, integer(count, "count")))

    def save(self, path: str | os.PathLike) -> None:
        """Writes the tokens' rows to a file, whole or not at all. Raises AttentionError where it cannot be written."""
        library.check(library.sequence_save(self._handle.pointer, _path(path)))

    def key_values(self, layer: int) -> KeyValues:
        """A layer of this sequence as it is, for ``attention``."""
        return key_values([self], layer)


def key_values(sequences, layer: int) -> KeyValues:
    """A layer of several sequences of one cache as they are, one of the batch each."""
    sequences = _sequences(sequences)
    if not sequences:
        raise AttentionError("sequences", "none given, expected one or more")
    return KeyValues.cached(library.SEQUENCES, _Together(sequences), integer(layer, "layer"), sequences[0].cache.width)


class _Together:
    """Sequences of one call."""

    __slots__ = ("sequences",)

    def __init__(self, sequences: list[Sequence]):
        self.sequences = sequences

    def pack(self, frame: Frame, offset: int, layer: int) -> None:
        pointers = pointers_of(self.sequences)
        frame.keep.append(pointers)
        frames.SEQUENCES_FIELD.pack_into(frame.memory, offset, 0, ctypes.addressof(pointers), len(pointers), layer)


def pointers_of(sequences: list[Sequence]) -> ctypes.Array:
    """The handles of sequences as a C array."""
    return (ctypes.c_void_p * len(sequences))(*[each._handle.pointer for each in sequences])


def _sequences(sequences) -> list[Sequence]:
    found = [sequences] if isinstance(sequences, Sequence) else list(sequences)
    for each in found:
        if not isinstance(each, Sequence):
            raise AttentionError("sequences", f"{type(each).__qualname__} given, expected Sequence")
    return found


def _storage(name: str, argument: str) -> int:
    if name not in library.CACHE_TYPES:
        raise AttentionError(argument, f"{name!r} given, expected one of {', '.join(library.CACHE_TYPES)}")
    return library.CACHE_TYPES[name]


def _path(path) -> bytes:
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise AttentionError("path", "a path with a 0 byte given, expected one without")
    return encoded
