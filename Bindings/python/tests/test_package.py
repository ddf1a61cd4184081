"""What importing the package brings."""

import subprocess
import sys


def run(program: str) -> str:
    """What a program prints in an interpreter of its own."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_neither_library_is_imported():
    assert run("import swift_attention, sys; print({'numpy', 'torch'} & set(sys.modules))") == "set()\n"


def test_names():
    program = "import swift_attention as s; print(all(hasattr(s, n) for n in s.__all__), hasattr(s, 'jax'))"
    assert run(program) == "True False\n"


def test_numbers_without_numpy():
    """A call on DLPack capsules needs no NumPy where `out` is given."""
    program = """
import array, ctypes, sys
sys.modules["numpy"] = sys.modules["torch"] = None
from swift_attention import attention
from swift_attention._dlpack import _Managed
new = ctypes.pythonapi.PyCapsule_New
new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

class Row:
    def __init__(self, *numbers):
        self.numbers, self.shape = array.array("f", numbers), (ctypes.c_int64 * 4)(1, 1, 1, len(numbers))
    def __dlpack__(self):
        self.managed = _Managed()
        tensor = self.managed.tensor
        tensor.data, tensor.device_type, tensor.ndim = self.numbers.buffer_info()[0], 1, 4
        tensor.code, tensor.bits, tensor.lanes = 2, 32, 1
        tensor.shape = ctypes.cast(self.shape, ctypes.POINTER(ctypes.c_int64))
        return new(ctypes.addressof(self.managed), b"dltensor", None)

out = Row(0, 0)
print(attention(Row(1, 2), Row(3, 4), Row(5, 6), out=out) is out, out.numbers.tolist())
"""
    assert run(program) == "True [5.0, 6.0]\n"
