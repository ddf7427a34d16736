"""What holds for any lattice: period and phase come back under noise, other light and a painted defect."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsmith.data.coordinates import Caption, measure_pattern, phase_of, read_captions, write_captions

sys.path.insert(0, str(Path(__file__).parents[1] / "unit/data"))
from lattices import Circuit, off_by

PERIODS = st.floats(9, 26)
SHIFTS = st.tuples(st.floats(0, 1), st.floats(0, 1))


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    st.tuples(PERIODS, PERIODS),
    st.lists(SHIFTS, min_size=3, max_size=3),
    SHIFTS,
    st.integers(0, 99),
    st.floats(0.6, 1.4),
)
def test_period_and_phase_come_back(period_xy, good_shifts, shift, seed, gain):
    circuit, rng = Circuit(period_xy, seed), np.random.default_rng(seed)
    size_hw = (110, 120)
    goods = [circuit.image(size_hw, each, rng, noise=0.02, tilt=0.2) for each in good_shifts]
    pattern = measure_pattern(goods)
    np.testing.assert_allclose(pattern.lattice.period_xy, period_xy, atol=0.05)
    image = circuit.image(size_hw, shift, rng, noise=0.03, gain=gain, tilt=-0.3, hole=10)
    moved = np.subtract(shift, good_shifts[0])
    assert (off_by(phase_of(image, pattern), pattern, moved) < 0.25).all()


NAMES = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=20).map(str.strip)
PLACES = st.integers(-(10**6), 10**6).map(lambda hundredths: hundredths / 100)
IDS = st.from_regex(r"[a-zäß0-9]{1,8}(/[a-z0-9]{1,8}){0,2}", fullmatch=True)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(IDS, st.builds(Caption, PLACES, PLACES, NAMES.filter(bool)), min_size=1, max_size=5))
def test_captions_are_read_back_as_written(captions):
    with tempfile.TemporaryDirectory() as folder:
        write_captions(Path(folder), captions)
        assert read_captions(Path(folder)) == captions
