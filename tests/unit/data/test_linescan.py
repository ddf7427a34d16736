"""A known picture, scanned at a varying speed, comes back; each fault is planted and named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from flawsmith.core.errors import DataError, SettingsError
from flawsmith.core.settings import resolve
from flawsmith.data.linescan import LineScanSettings, read_ticks, stitch, ticks_per_pixel
from flawsmith.data.linescan.resample import row_weights
from flawsmith.data.linescan.ticks import travel

PER_PIXEL, HEIGHT, WIDTH = 16, 200, 24


def picture(dtype=np.uint8, channels=1):
    noise = np.random.default_rng(0).normal(size=(HEIGHT, WIDTH, channels))
    smooth = ndimage.gaussian_filter(noise, (3, 1, 0))
    return (0.5 + 0.15 * smooth / smooth.std()).clip(0, 1) * np.iinfo(dtype).max


def scanned(truth, pixels, dtype=np.uint8):
    """The lines a camera sees at these places along the picture, and the encoder's ticks."""
    ticks = np.rint(np.asarray(pixels) * PER_PIXEL)
    lines = [
        [
            np.interp(ticks / PER_PIXEL, np.arange(HEIGHT), truth[:, column, channel])
            for channel in range(truth.shape[2])
        ]
        for column in range(WIDTH)
    ]
    return np.rint(np.moveaxis(lines, 2, 0)).astype(dtype), ticks


def stitched(pixels, **changes):
    lines, ticks = scanned(picture(), pixels)
    return stitch(lines, ticks, PER_PIXEL, LineScanSettings(**changes))


def test_a_line_per_pixel_is_the_image_itself():
    lines, ticks = scanned(picture(), np.arange(HEIGHT))
    image, report = stitch(lines, ticks + 1000, PER_PIXEL)
    np.testing.assert_array_equal(image, lines)
    assert (report.lines, report.rows, report.findings, report.missing_rows) == (HEIGHT, HEIGHT, (), ())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_scanned_at_varying_speed_comes_back(dtype, channels):
    truth = picture(dtype, channels)
    pixels = np.cumsum(0.6 + 0.35 * np.sin(np.arange(300) / 30))
    lines, ticks = scanned(truth, pixels - pixels[0], dtype)
    image, report = stitch(lines, ticks, PER_PIXEL)
    assert image.dtype == dtype
    assert image.shape == (report.rows, WIDTH, channels)
    off = np.abs(image - truth[: report.rows]) / np.iinfo(dtype).max
    assert off.max() < 0.04
    assert off.mean() < 0.005
    plain, _ = stitch(lines[..., 0], ticks, PER_PIXEL)
    np.testing.assert_array_equal(plain, image[..., 0])


def test_a_slow_scan_is_averaged_by_travel_and_said():
    _, report = stitched(np.arange(0, 150, 0.1))
    (slow,) = report.findings
    assert (slow.kind, slow.rows, slow.lines) == ("too_slow", (0, 150), (0, 1500))
    assert slow.amount == pytest.approx(10, abs=0.1)
    lines = np.array([[10], [20], [90]], np.uint8)
    found, _ = stitch(lines, np.array([0, 1, 4]), 4)
    # Row 1 lies at ticks 2 to 6: of it the line at tick 1 has 2 to 2.5, the one at tick 4 the rest, up to 5.5.
    assert found[1, 0] == round((0.5 * 20 + 3 * 90) / 3.5)


def test_a_fast_scan_is_interpolated_and_said():
    pixels = np.concatenate([np.arange(0, 60, 1.0), np.arange(60, 100, 2.0), np.arange(100, 160, 1.0)])
    image, report = stitched(pixels)
    (fast,) = report.findings
    assert (fast.kind, fast.rows, fast.amount) == ("too_fast", (60, 101), 2)
    lines, _ = scanned(picture(), pixels)
    middle = (lines[60].astype(float) + lines[61]) / 2
    assert np.abs(image[61] - middle).max() <= 0.5


@pytest.mark.parametrize(("first", "count"), [(50, 1), (50, 4), (1, 1), (147, 2)])
def test_missing_lines_leave_marked_rows(first, count):
    lost = np.arange(first, first + count)
    image, report = stitched(np.delete(np.arange(150.0), lost), fill=7)
    (missing,) = report.findings
    assert (missing.kind, missing.rows, missing.amount) == ("missing_lines", (first, first + count), count)
    assert report.missing_rows == tuple(lost)
    assert (image[lost] == 7).all()
    kept = np.delete(np.arange(150), lost)
    np.testing.assert_array_equal(image[kept], np.rint(picture()[kept]))


def test_running_backwards_is_said_and_left_out():
    way = np.concatenate([np.arange(0, 80.0), np.arange(79, 60, -1.0), np.arange(60, 150.0)])
    image, report = stitched(way)
    (back,) = report.findings
    assert (back.kind, back.rows, back.amount) == ("backwards", (60, 80), 19)
    assert back.lines == (81, 118), "from the first line behind to the last before travel is new again"
    np.testing.assert_array_equal(image, np.rint(picture()[:150]))


def test_standing_still_is_said_and_no_row_is_repeated():
    image, report = stitched(np.concatenate([np.arange(0, 80.0), np.full(40, 79.0), np.arange(80, 150.0)]))
    (still,) = report.findings
    assert (still.kind, still.rows, still.lines, still.amount) == ("standing_still", (79, 80), (79, 120), 41)
    np.testing.assert_array_equal(image, np.rint(picture()[:150]))


@pytest.mark.parametrize(
    ("begin", "bits", "low"), [(65_000, 16, 0), (32_000, 16, -(2**15)), (2**32 - 500, 32, 0), (2**31 - 9, 32, -(2**31))]
)
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("way", [1, -1])
def test_counters_that_begin_anew(begin, bits, low, told, way):
    lines, ticks = scanned(picture(), np.arange(150.0))
    counted = (way * (ticks + begin - (0 if way == 1 else 2 * begin - 100)) - low) % 2**bits + low
    image, report = stitch(lines, counted, PER_PIXEL, LineScanSettings(counter_bits=bits if told else None))
    np.testing.assert_array_equal(image, np.rint(picture()[:150]))
    assert report.counts_up == (way == 1)
    assert [finding.kind for finding in report.findings] in ([], ["counter_overflow"])
    if way == 1:
        (overflow,) = report.findings
        assert overflow.amount == bits
        assert counted[overflow.lines[0]] < counted[overflow.lines[0] - 1]


def test_a_counter_that_was_reset_is_no_overflow():
    ticks = np.concatenate([np.arange(0, 20_000, 16), np.arange(0, 30_000, 16)])
    assert travel(ticks.astype(float), 16, 16).wraps == ()
    _, report = stitch(np.zeros((len(ticks), 2), np.uint8), ticks, 16)
    assert [finding.kind for finding in report.findings] == ["backwards"]


def test_several_faults_are_listed_in_order():
    pixels = np.concatenate([np.arange(0, 50.0), np.arange(53, 100.0), np.full(30, 99.0), np.arange(100, 140, 0.125)])
    _, report = stitched(pixels)
    assert [finding.kind for finding in report.findings] == ["missing_lines", "standing_still", "too_slow"]
    assert report.of("missing_lines")[0].rows == (50, 53)
    assert "rows 50 to 52: missing_lines (3)" in str(report.findings[0])
    assert report.to_json()["findings"][0]["rows"] == (50, 53)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 3), min_size=2, max_size=40).filter(lambda steps: sum(steps) >= 1), st.data())
def test_every_row_is_a_mean_of_lines_near_it(steps, data):
    pixels = np.concatenate([[0.0], np.cumsum(steps)])
    holes = np.array(data.draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps))))
    rows = int(pixels[-1]) + 1
    weights = row_weights(pixels, rows, holes).toarray()
    assert weights.shape == (rows, len(pixels))
    np.testing.assert_allclose(weights.sum(1), 1)
    assert weights.min() >= 0
    far = np.abs(pixels[None] - np.arange(rows)[:, None])
    assert far[weights > 1e-9].max() <= 3 + 0.5


@pytest.mark.parametrize(
    ("shape", "ticks", "per_pixel", "message"),
    [
        ((5, 4), np.arange(4), 1, "5 lines and ticks of shape"),
        ((1, 4), np.arange(1), 1, "two lines or more"),
        ((5,), np.arange(5), 1, "expected lines as"),
        ((5, 4), np.zeros(5), 1, "moves by 0.00 pixels over the whole scan"),
        ((5, 4), np.arange(5), 0, "ticks per pixel is 0"),
        ((5, 4), np.arange(5), float("nan"), "ticks per pixel is nan"),
        ((5, 4), np.array([0, 1, np.inf, 3, 4]), 1, "tick 2 is not a finite number"),
        ((5, 4), np.arange(5) * 10.0**9, 1, "the ticks span 4000000000 rows"),
    ],
)
def test_what_gives_no_image_is_refused(shape, ticks, per_pixel, message):
    with pytest.raises(DataError, match=message):
        stitch(np.zeros(shape, np.uint8), ticks, per_pixel)


def test_other_depths_and_fills_are_refused():
    with pytest.raises(DataError, match="float64"):
        stitch(np.zeros((5, 4)), np.arange(5), 1)
    with pytest.raises(DataError, match="fill is 300"):
        stitch(np.zeros((5, 4), np.uint8), np.arange(5), 1, LineScanSettings(fill=300))
    with pytest.raises(SettingsError, match="counter_bits"):
        resolve(LineScanSettings, None, ["counter_bits=12"])


@pytest.mark.parametrize(
    "text", ["1\n2\n-3.5\n", "\ufeffTicks\r\n1\r\n2\r\n-3.5", "line;ticks;t\n0;1;a\n\n1;2;b\n2; -3.5;c\n"]
)
def test_ticks_are_read(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, newline="")
    assert read_ticks(tmp_path / "t.csv").tolist() == [1, 2, -3.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n\nx\n", "line 3: got 'x', expected an encoder count"),
        ("ticks\n1\ninf\n", "line 3: got 'inf', expected a finite"),
        ("count\n1\n", "has the columns count: expected bare numbers, or a column 'ticks'"),
        ("", "has the columns none"),
    ],
)
def test_ticks_that_are_none_are_named(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_ticks(tmp_path / "t.csv")


def test_ticks_per_pixel():
    assert ticks_per_pixel(12, 3) == 4
    for wrong in ((0, 1), (1, -1), (float("nan"), 1)):
        with pytest.raises(DataError, match="expected a number above 0"):
            ticks_per_pixel(*wrong)
