// Whoever imports Attention works with tensors and may pass a pool of threads. Matrix products and decompositions are `LinearAlgebra`'s,
// which a program imports by itself where it wants them.
@_exported import Parallelism
@_exported import Tensors
