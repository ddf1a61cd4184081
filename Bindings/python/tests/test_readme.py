import pytest
from readme import printed, programs


@pytest.mark.parametrize(("program", "expected"), programs(with_torch=False), ids=["numpy", "cache", "error"])
def test_readme(program, expected):
    assert printed(program) == expected
