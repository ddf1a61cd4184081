// Whoever imports Attention works with tensors, may pass a pool of threads, and multiplies matrices around the operator.
@_exported import LinearAlgebra
@_exported import Parallelism
@_exported import Tensors
