"""replace_sdpa: what runs here, what is passed on, and that nothing else changes."""

import subprocess
import sys
import threading
import types

import pytest
import torch
from torch.nn import functional

import swift_attention.torch
from swift_attention import Threads
from swift_attention.torch import replace_sdpa

# Under a name of this module it would be replaced as well.
BUILTIN = [functional.scaled_dot_product_attention]
X = torch.randn(2, 3, 5, 8)


def test_calls_and_results():
    with replace_sdpa() as replaced:
        assert functional.scaled_dot_product_attention is not BUILTIN[0]
        y = functional.scaled_dot_product_attention(X, X, X, is_causal=True)
    assert functional.scaled_dot_product_attention is BUILTIN[0]
    assert (replaced.calls, dict(replaced.passed_on)) == (1, {})
    assert repr(replaced) == "Replacement(calls=1, passed_on={})"
    torch.testing.assert_close(y, BUILTIN[0](X, X, X, is_causal=True))
    # By position and by name, as PyTorch takes them; scale and enable_gqa by name.
    mask = torch.ones(5, 5, dtype=torch.bool)
    with replace_sdpa(threads=Threads(1)) as replaced:
        y = functional.scaled_dot_product_attention(X, X, X, mask, 0.0, False, scale=0.5)
        torch.testing.assert_close(y, BUILTIN[0](X, X, X, mask, 0.0, False, scale=0.5))
        functional.scaled_dot_product_attention(query=X, key=X, value=X, attn_mask=mask)
    assert replaced.calls == 2


class Named(torch.Tensor):
    """A subclass."""


PASSED_ON = {
    "gradients": lambda f: torch.enable_grad()(f)(X.clone().requires_grad_(), X, X),
    "dropout": lambda f: f(X, X, X, dropout_p=0.5),
    "device": lambda f: f(*[X.to("meta")] * 3),
    "dtype": lambda f: f(*[torch.complex(X, X)] * 3),
    "layout": lambda f: f(torch.imag(torch.complex(X, X).conj()), X, X),
    "tensor subclass": lambda f: f(X.as_subclass(Named), X, X),
    "transform": lambda f: torch.vmap(lambda x: f(x, x, x))(X),
    "arguments: key": lambda f: f(X, X.double(), X),
    "arguments: attn_mask": lambda f: f(X, X, X, attn_mask=torch.ones(5, 5, dtype=torch.bool), is_causal=True),
    "arguments: scale": lambda f: f(X, X, X, scale=float("inf")),
}


@pytest.mark.parametrize("reason", PASSED_ON)
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_what_is_passed_on(reason):
    call = PASSED_ON[reason]
    outcome = lambda: _outcome(lambda: call(functional.scaled_dot_product_attention))  # noqa: E731
    torch.manual_seed(5)
    expected = outcome()
    torch.manual_seed(5)
    with replace_sdpa() as replaced:
        found = outcome()
    assert (replaced.calls, dict(replaced.passed_on)) == (0, {reason: 1})
    # PyTorch's own results, or its own error.
    assert type(found) is type(expected)
    if isinstance(expected, str) or expected.device.type == "meta":
        assert str(found) == str(expected)
    else:
        assert torch.equal(found.nan_to_num(nan=7.0), expected.nan_to_num(nan=7.0))


def _outcome(call):
    try:
        return call()
    except RuntimeError as error:
        return str(error).splitlines()[0]


def test_programs_that_are_compiled_see_pytorchs_function():
    compiled = torch.compile(
        lambda x: functional.scaled_dot_product_attention(x, x, x), backend="eager", fullgraph=True
    )
    with replace_sdpa() as replaced:
        torch.testing.assert_close(compiled(X), BUILTIN[0](X, X, X))
    assert replaced.calls == 0


def test_names_elsewhere():
    module = types.ModuleType("imports_by_name")
    module.attend = BUILTIN[0]
    sys.modules[module.__name__] = module
    try:
        with replace_sdpa() as replaced:
            module.attend(X, X, X)
        assert replaced.calls == 1 and module.attend is BUILTIN[0]
    finally:
        del sys.modules[module.__name__]


def test_modules_of_pytorch():
    layer = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x = torch.randn(2, 5, 8)
    expected = layer(x, x, x, need_weights=False)[0]
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with replace_sdpa() as replaced:
            torch.testing.assert_close(layer(x, x, x, need_weights=False)[0], expected)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert replaced.calls == 1


def test_nested_and_out_of_order():
    with replace_sdpa() as outer:
        with replace_sdpa() as inner:
            functional.scaled_dot_product_attention(X, X, X)
        functional.scaled_dot_product_attention(X, X, X)
        assert (outer.calls, inner.calls) == (1, 1)
        with pytest.raises(RuntimeError, match="enabled already"):
            outer.enable()
    first, second = replace_sdpa().enable(), replace_sdpa().enable()
    first.disable()
    functional.scaled_dot_product_attention(X, X, X)
    second.disable()
    assert (first.calls, second.calls) == (0, 1)
    # The second put back what it found: the first's, which is off and passes on without a count.
    functional.scaled_dot_product_attention(X, X, X)
    assert (first.calls, dict(first.passed_on)) == (0, {})
    functional.scaled_dot_product_attention = BUILTIN[0]


def test_enable_and_disable():
    swift_attention.torch.enable()
    functional.scaled_dot_product_attention(X, X, X)
    assert swift_attention.torch.disable().calls == 1
    assert functional.scaled_dot_product_attention is BUILTIN[0]
    with pytest.raises(RuntimeError, match="without enable"):
        swift_attention.torch.disable()


def test_the_package_names_it():
    program = "import swift_attention; print(swift_attention.torch.replace_sdpa())"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed == "Replacement(calls=0, passed_on={})\n"


def test_an_exception_puts_it_back():
    with pytest.raises(KeyError), replace_sdpa():
        raise KeyError
    assert functional.scaled_dot_product_attention is BUILTIN[0]


def test_counts_from_many_threads():
    with replace_sdpa() as replaced:

        def compute():
            with torch.no_grad():
                for _ in range(50):
                    functional.scaled_dot_product_attention(X, X, X)
                    functional.scaled_dot_product_attention(X, X, X, dropout_p=0.5)

        threads = [threading.Thread(target=compute) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (replaced.calls, dict(replaced.passed_on)) == (400, {"dropout": 400})
