"""Period, template and phase of patterns whose truth is known; what shows no pattern is refused."""

import numpy as np
import pytest
from lattices import Circuit, off_by
from scipy import ndimage

from flawsmith.core.errors import DataError
from flawsmith.data.coordinates import Lattice, find_lattice, load_pattern, measure_pattern, phase_of, save_pattern
from flawsmith.data.coordinates.autocorrelation import autocorrelation
from flawsmith.data.coordinates.lattice import fold
from flawsmith.data.coordinates.light import contrast
from flawsmith.data.coordinates.matching import match, shifted

SIZE_HW = (110, 130)


@pytest.fixture(scope="module")
def measured():
    circuit, rng = Circuit((17.3, 24.6), seed=3), np.random.default_rng(5)
    shifts = [(0.0, 0.0), (0.31, 0.77), (0.9, 0.12)]
    images = [circuit.image(SIZE_HW, shift, rng, noise=0.02, hole=10 * (shift[0] == 0)) for shift in shifts]
    return circuit, measure_pattern(images)


def test_the_period_is_found_to_a_twentieth_of_a_pixel(measured):
    assert measured[1].lattice.period_xy == pytest.approx((17.3, 24.6), abs=0.05)


def test_the_template_is_the_pattern_without_the_defect(measured):
    circuit, pattern = measured
    rows, columns = pattern.lattice.shape
    assert (rows, columns) == (25, 17)
    down, right = np.mgrid[:rows, :columns]
    truth = circuit.at(right * 17.3 / columns, down * 24.6 / rows) * 0.12 / 0.45
    assert np.abs(pattern.template - truth).max() < 0.04
    assert pattern.picture.shape == (rows, columns, 1)


@pytest.mark.parametrize("change", [{}, {"gain": 0.5}, {"gain": 1.3, "tilt": 0.5}, {"noise": 0.05}, {"hole": 14}])
def test_phases_under_change(measured, change):
    circuit, pattern = measured
    phase = phase_of(circuit.image(SIZE_HW, (0.62, 0.29), np.random.default_rng(1), **change), pattern)
    assert (off_by(phase, pattern, (0.62, 0.29)) < 0.25).all()
    assert 0.8 < phase.confidence <= 1
    assert 0 <= phase.x < pattern.lattice.period_xy[0]
    assert 0 <= phase.y < pattern.lattice.period_xy[1]


def test_a_tilted_camera_and_16_bits_and_colour():
    circuit = Circuit((14.2, 19.7), seed=8, channels=3, slant=0.02)
    rng = np.random.default_rng(2)
    images = [circuit.image((90, 100), shift, rng, noise=0.01, dtype=np.uint16) for shift in ((0, 0), (0.4, 0.6))]
    pattern = measure_pattern(images)
    np.testing.assert_allclose(pattern.lattice.matrix, circuit.along, atol=0.05)
    assert (off_by(phase_of(images[1], pattern), pattern, (0.4, 0.6)) < 0.25).all()
    with pytest.raises(DataError, match="1 channels and the pattern 3"):
        phase_of(images[0][..., :1], pattern)


def test_colours_of_one_brightness_are_seen():
    """Red, green and blue stripes between dark lines: in grey the period would be a third."""
    y, x = np.mgrid[:96, :108]
    image = np.full((96, 108, 3), 20, np.uint8)
    for channel in range(3):
        image[(x // 6 % 3 == channel) & (y % 16 > 3) & (x % 6 > 0), channel] = 200
    assert find_lattice([image]).period_xy == pytest.approx((18, 16), abs=0.1)


def test_bright_dots_in_every_other_row_moved_by_half():
    y, x = np.mgrid[:120, :140]
    image = np.full((120, 140, 1), 60, np.uint8)
    image[(y % 12 < 5) & ((x + 10 * (y // 12 % 2)) % 20 < 7)] = 190
    assert find_lattice([image]).period_xy == pytest.approx((20, 24), abs=0.1)


def smooth(seed, sigma):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(120, 120)), sigma)
    return np.uint8(np.clip(128 + 40 * noise / noise.std(), 0, 255))[..., None]


WITHOUT = {
    "noise": [smooth(seed, 0) for seed in range(2)],
    "fine texture": [smooth(seed, 2) for seed in range(2)],
    "coarse texture": [smooth(seed, 8) for seed in range(2)],
    "flat": [np.full((80, 80, 1), 90, np.uint8)],
    "black": [np.zeros((80, 80, 3), np.uint8)],
    "a slope": [np.uint8(np.add.outer(np.arange(80), np.arange(80)))[..., None]],
    "one spot": [np.uint8(200 * (np.hypot(*np.mgrid[-40:40, -40:40]) < 20))[..., None]],
    "tiny": [np.zeros((3, 2, 1), np.uint8)],
}


@pytest.mark.parametrize("name", WITHOUT)
def test_images_without_a_pattern_are_refused(name):
    with pytest.raises(DataError, match=r"no repetitive pattern|does not repeat along"):
        measure_pattern(WITHOUT[name])


@pytest.mark.parametrize("slope", [(1, 0), (0, 1), (1, 1), (1, 0.1)])
def test_stripes_give_one_coordinate_only_and_are_refused(slope):
    y, x = np.mgrid[:120, :120]
    waves = 120 + 60 * np.sin(2 * np.pi * (x * slope[0] + y * slope[1]) / 15)
    image = np.uint8(waves + np.random.default_rng(0).normal(size=waves.shape) * 3)[..., None]
    with pytest.raises(DataError, match=r"stripes|does not repeat along [xy]|no repetitive"):
        find_lattice([image])


def test_other_images_than_the_pattern_are_refused(measured):
    with pytest.raises(DataError, match=r"does not show the pattern.*expected at least 0\.70"):
        phase_of(smooth(4, 3), measured[1])
    with pytest.raises(DataError, match=r"15 x 110 pixels does not show a whole period of 17\.3 x 24\.6"):
        phase_of(np.full((110, 15, 1), 9, np.uint8), measured[1])
    with pytest.raises(DataError, match="no images"):
        find_lattice([])
    with pytest.raises(DataError, match="grey and some in colour"):
        measure_pattern([np.zeros((9, 9, 1), np.uint8), np.zeros((9, 9, 3), np.uint8)])


def test_patterns_are_saved_and_found_again(measured, tmp_path):
    circuit, pattern = measured
    save_pattern(tmp_path, pattern)
    again = load_pattern(tmp_path)
    assert again.lattice == pattern.lattice
    image = circuit.image(SIZE_HW, (0.2, 0.4))
    first, second = phase_of(image, pattern), phase_of(image, again)
    assert (first.x, first.y) == pytest.approx((second.x, second.y), abs=0.1)
    (tmp_path / "pattern.json").write_text('{"lattice_px": {"along_x": [9, 0], "along_y": [0, 9]}}')
    with pytest.raises(DataError, match=r"template\.png is 17 x 25 pixels, but the period in pattern\.json is 9 x 9"):
        load_pattern(tmp_path)
    for damaged in ("{}", "no json", '{"lattice_px": {"along_x": [], "along_y": 3}}'):
        (tmp_path / "pattern.json").write_text(damaged)
        with pytest.raises(DataError, match=r"pattern\.json is not a pattern"):
            load_pattern(tmp_path)


@pytest.mark.parametrize("vectors", [((1, 0), (2, 0)), ((0, 1), (1, 0)), ((float("nan"), 0), (0, 1))])
def test_impossible_lattices(vectors):
    with pytest.raises(DataError, match="expected one vector along x"):
        Lattice(*vectors)


def test_autocorrelation_is_pearsons_of_the_overlap():
    values = np.random.default_rng(3).normal(size=(14, 11, 2)).astype(np.float32)
    found = autocorrelation(values)
    assert found.shape == (15, 11)
    for down, right in ((0, 0), (3, 2), (-5, 4), (7, -5)):
        here = values[max(0, -down) : 14 - max(0, down), max(0, -right) : 11 - max(0, right)]
        there = values[max(0, down) : 14 + min(0, down), max(0, right) : 11 + min(0, right)]
        pair = [(each - each.mean((0, 1))).ravel() for each in (here, there)]
        expected = pair[0] @ pair[1] / np.linalg.norm(pair[0]) / np.linalg.norm(pair[1])
        assert found[7 + down, 5 + right] == pytest.approx(expected, abs=1e-4)


def test_folding_leaves_out_what_is_not_repeated():
    cell = np.random.default_rng(1).uniform(-1, 1, (6, 8, 1)).astype(np.float32)
    image = np.tile(cell, (5, 5, 1))[:28, :39]
    image[7:15, 10:19] = 9
    lattice = Lattice((8, 0), (0, 6))
    inner = fold(image, lattice)
    assert np.abs(inner - cell).max() < 0.35, "splines bend beside an edge"
    assert np.abs(inner - cell).mean() < 0.03


def test_matching_is_the_inverse_of_shifting():
    y, x = np.mgrid[:20, :30] * 2 * np.pi
    template = (np.sin(x / 30) + np.cos(y / 20 + 1) + np.sin(2 * x / 30 + y / 20)).astype(np.float32)[..., None]
    moved = shifted(template, (-7.3, -12.6))
    found = match(moved, template)
    assert found.shift_xy == pytest.approx((7.3, 12.6), abs=0.3)
    assert found.likeness > 0.99
    assert match(np.zeros_like(template), template).likeness == 0


def test_light_drops_out():
    circuit = Circuit((12, 15), seed=1)
    plain = contrast(circuit.image((96, 96)), (12, 15))
    lit = contrast(circuit.image((96, 96), gain=0.7, tilt=0.6), (12, 15))
    assert np.abs(plain - lit).max() < 0.03
    assert abs(float(plain.mean())) < 0.01
