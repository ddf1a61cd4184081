"""Where keys and values lie."""

from __future__ import annotations

from . import _frames as frames
from . import _library as library
from ._errors import AttentionError
from ._frames import Frame
from ._numbers import integers
from ._tensors import pack


class KeyValues:
    """Keys and values of a call: a description, without copies. ``attention(query, key_values)`` takes it in place of keys and values.

    Made by ``padded``, ``packed``, ``paged``, ``joined``, and by ``Step.key_values`` and ``Sequence.key_values``. Integers (int8) come with
    ``key_scales`` and ``value_scales``: float32, one a row, the shape of the integers without their last axis.
    """

    __slots__ = (
        "source",
        "keys",
        "values",
        "key_scales",
        "value_scales",
        "lengths",
        "page_table",
        "parts",
        "owner",
        "layer",
        "width",
    )

    def __init__(
        self, source: int, keys=None, values=None, *, key_scales=None, value_scales=None, lengths=None, page_table=None
    ):
        self.source, self.keys, self.values = source, keys, values
        self.key_scales, self.value_scales = key_scales, value_scales
        self.lengths, self.page_table = lengths, page_table
        self.parts: tuple[KeyValues, ...] = ()
        self.owner, self.layer, self.width = None, 0, 0

    @classmethod
    def padded(cls, keys, values, *, lengths=None, key_scales=None, value_scales=None) -> KeyValues:
        """Keys [B, Hkv, Tk, D] and values [B, Hkv, Tk, Dv]; of each sequence the first ``lengths[b]`` rows, or all."""
        return cls(library.PADDED, keys, values, lengths=lengths, key_scales=key_scales, value_scales=value_scales)

    @classmethod
    def packed(cls, keys, values, lengths, *, key_scales=None, value_scales=None) -> KeyValues:
        """Keys [total, Hkv, D] and values [total, Hkv, Dv]: ``lengths[b]`` rows of each sequence, one after the other."""
        return cls(library.PACKED, keys, values, lengths=lengths, key_scales=key_scales, value_scales=value_scales)

    @classmethod
    def paged(cls, keys, values, page_table, lengths, *, key_scales=None, value_scales=None) -> KeyValues:
        """Keys [pages, page size, Hkv, D] and values likewise; row b of ``page_table`` (int32 [B, pages of a sequence]) names the pages of a
        sequence, of which ``lengths[b]`` rows are in use. Entries past those are never looked at."""
        return cls(
            library.PAGED,
            keys,
            values,
            page_table=page_table,
            lengths=lengths,
            key_scales=key_scales,
            value_scales=value_scales,
        )

    @classmethod
    def joined(cls, *parts: KeyValues) -> KeyValues:
        """The keys of all parts, one after the other: a shared prefix before rows of a cache, for instance."""
        for part in parts:
            if not isinstance(part, KeyValues):
                raise AttentionError("parts", f"{type(part).__qualname__} given, expected KeyValues")
        joined = cls(library.JOINED)
        joined.parts = parts
        return joined

    @classmethod
    def cached(cls, source: int, owner, layer: int, width: int) -> KeyValues:
        """A layer of a step or of sequences, which ``owner`` writes into a call."""
        cached = cls(source)
        cached.owner, cached.layer, cached.width = owner, layer, width
        return cached

    def pack(self, frame: Frame, offset: int) -> int:
        """Fills in attention_key_values at ``offset``, and says how wide a value is."""
        if self.source == library.JOINED:
            return self._pack_parts(frame, offset)
        if self.owner is not None:
            frame.memory[offset : offset + frames.KEY_VALUES_BYTES] = frames.NO_KEY_VALUES[self.source]
            self.owner.pack(frame, offset + frames.SEQUENCES_OF, self.layer)
            return self.width
        return pack_key_values(
            frame,
            offset,
            self.source,
            self.keys,
            self.values,
            self.key_scales,
            self.value_scales,
            self.lengths,
            self.page_table,
        )

    def _pack_parts(self, frame: Frame, offset: int) -> int:
        inner = Frame(max(1, len(self.parts)) * frames.KEY_VALUES_BYTES, frame.keep)
        frame.keep.append(inner)
        widths = [part.pack(inner, index * frames.KEY_VALUES_BYTES) for index, part in enumerate(self.parts)]
        frame.memory[offset : offset + frames.KEY_VALUES_BYTES] = frames.NO_KEY_VALUES[self.source]
        frames.PARTS_FIELD.pack_into(frame.memory, offset + frames.PARTS, inner.address, len(self.parts))
        return widths[0] if widths else 0


def pack_key_values(
    frame: Frame,
    offset: int,
    source: int,
    keys,
    values,
    key_scales,
    value_scales,
    lengths,
    page_table,
    names=("keys", "values"),
) -> int:
    """Fills in keys and values that lie in tensors, and says how wide a value is. `names` are those of the arguments."""
    memory = frame.memory
    # A modifier, or another thread, may change what the description holds.
    frame.keep.append((keys, values, key_scales, value_scales, page_table))
    memory[offset : offset + frames.KEY_VALUES_BYTES] = frames.NO_KEY_VALUES[source]
    pack(frame, offset + frames.KEYS, keys, names[0])
    _, shape = pack(frame, offset + frames.VALUES, values, names[1])
    if key_scales is not None:
        pack(frame, offset + frames.KEY_SCALES, key_scales, "key_scales")
    if value_scales is not None:
        pack(frame, offset + frames.VALUE_SCALES, value_scales, "value_scales")
    if page_table is not None:
        pack(frame, offset + frames.PAGE_TABLE, page_table, "page_table")
    if lengths is not None:
        kept, address, count = integers(lengths, "lengths")
        frame.keep.append(kept)
        frames.LENGTHS.pack_into(memory, offset + frames.KEY_LENGTHS, address, count)
    return shape[-1]
