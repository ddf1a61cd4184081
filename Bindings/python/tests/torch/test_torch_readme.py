import pytest
from readme import printed, programs


@pytest.mark.parametrize(("program", "expected"), programs(with_torch=True), ids=["torch", "model"])
def test_readme(program, expected):
    assert printed(program) == expected
