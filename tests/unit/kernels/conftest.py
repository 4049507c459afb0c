import numpy as np
import pytest

from calibrant.kernels import _native
from unit.kernels.cases import BIG_SHAPES, KINDS, SHAPES, make_case


def _ids(logits, dtype, shape):
    return f"{'logits' if logits else 'probabilities'}-{np.dtype(dtype).name}-{shape[0]}x{shape[1]}"


def _parameters(shapes):
    return [pytest.param((*s, *kind), id=_ids(*kind, s)) for kind in KINDS for s in shapes]


@pytest.fixture(params=_parameters(SHAPES))
def case(request):
    return make_case(*request.param)


@pytest.fixture(params=_parameters([(203, 9), (21, 1000)]))
def small_case(request):
    return make_case(*request.param)


@pytest.fixture(params=_parameters(BIG_SHAPES))
def big_case(request):
    return make_case(*request.param)


@pytest.fixture
def baseline():
    """Run with the clone that every processor can run, and yield a way back."""
    assert _native.choose_clone("baseline")
    yield lambda: _native.choose_clone("auto")
    _native.choose_clone("auto")
