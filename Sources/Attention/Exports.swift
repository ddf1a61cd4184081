// Whoever imports Attention works with tensors: they come along.
@_exported import Tensors
