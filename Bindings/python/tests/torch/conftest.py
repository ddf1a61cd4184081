import sys
from pathlib import Path

import pytest
import torch

# The oracle and the producers of the tests without PyTorch.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture(autouse=True)
def seeded():
    """The same numbers in every run, and no gradients."""
    torch.manual_seed(1234)
    with torch.no_grad():
        yield
