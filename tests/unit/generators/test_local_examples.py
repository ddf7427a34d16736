"""Examples: a training defect is turned and laid so that it covers the mask; what is painted is built like it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flawsmith.core.errors import StageError
from flawsmith.core.records import GOOD, Defect, Patch, Sample
from flawsmith.data.demo import DemoSettings, write_demo
from flawsmith.generators.crops.scales import shrink, shrink_mask
from flawsmith.generators.crops.tone import plate_of
from flawsmith.generators.local.examples import Example, cut_examples, lay_under, load_examples, save_examples
from flawsmith.generators.local.family import EXAMPLES, LOCAL, WEIGHTS
from flawsmith.generators.local.net import LocalNet
from flawsmith.generators.local.painter import LocalPainter
from flawsmith.generators.local.settings import LocalSettings, NetSettings, SamplingSettings
from flawsmith.masks.guide import GUIDE
from flawsmith.masks.morphology import thickness_px
from flawsmith.training.settings import LoopSettings
from flawsmith.training.weights import save_net

SETTINGS = LocalSettings(
    side=32, net=NetSettings(widths=(16, 32), embedding=32), sampling=SamplingSettings(steps=3, refine_steps=2)
)


def hook(size: int = 64) -> np.ndarray:
    """A shape that no turn or flip maps onto itself."""
    mask = np.zeros((size, size), bool)
    mask[20:44, 22:28] = True
    mask[38:44, 28:42] = True
    mask[20:24, 28:32] = True
    return mask


def sample(mask: np.ndarray, value: int = 20, channels: int = 1, dtype=np.uint8) -> Sample:
    """A defect whose brightness falls from left to right on plain ground."""
    image = np.full((*mask.shape, channels), 150, np.float64)
    image[mask] = (value + 250 * np.argwhere(mask)[:, 1] / mask.shape[1])[:, None]
    return Sample("s", (image * (np.iinfo(dtype).max / 255)).astype(dtype), "nick", (Defect("nick", mask),))


def example(mask: np.ndarray, value: int = 20) -> Example:
    return cut_examples(sample(mask, value), SETTINGS)[0]


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("flip", [False, True])
def test_an_example_is_turned_the_way_the_mask_lies(quarter, flip):
    wanted = np.rot90(hook()[:, ::-1] if flip else hook(), quarter)
    laid = lay_under(wanted, 1.0, [example(hook())], "square", None, np.random.default_rng(0))
    _, shown = laid.view(1.0, wanted.shape, 1)
    assert (shown & wanted).sum() / (shown | wanted).sum() > 0.8


def test_without_symmetry_an_example_keeps_its_way():
    turned = np.rot90(hook())
    laid = lay_under(turned, 1.0, [example(hook())], "none", None, np.random.default_rng(0))
    assert laid.back == pytest.approx(np.eye(2))


def test_at_its_own_place_an_example_is_the_picture_it_was_cut_from():
    mask = hook()
    given_sample = sample(mask)
    laid = lay_under(mask, 1.0, cut_examples(given_sample, SETTINGS), "none", None, np.random.default_rng(0))
    tones, shown = laid.view(1.0, mask.shape, 1)
    assert np.array_equal(shown, mask)
    around = plate_of(given_sample.image, 1)[~mask].mean()
    assert tones[mask] == pytest.approx(plate_of(given_sample.image, 1)[mask] - around, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(down=st.integers(-12, 12), right=st.integers(-12, 12))
def test_an_example_goes_where_the_mask_goes(down, right):
    wanted = np.roll(hook(), (down, right), (0, 1))
    laid = lay_under(wanted, 1.0, [example(hook())], "mirror", None, np.random.default_rng(1))
    _, shown = laid.view(1.0, wanted.shape, 1)
    assert np.array_equal(shown, wanted)


@pytest.mark.parametrize("scale", [2.0, 4.0])
def test_every_canvas_shows_the_same_place(scale):
    """Laid at a coarse scale, the example lies under the mask at the camera's own, and shrunk again where it was."""
    mask, size = np.kron(hook(), np.ones((4, 4))) > 0, (round(256 / scale),) * 2
    asked = shrink_mask(mask, size)
    laid = lay_under(mask, scale, [example(mask)], "none", None, np.random.default_rng(0))
    tones, shown = laid.view(1.0, mask.shape, 1)
    assert (shown & mask).sum() / (shown | mask).sum() > 0.9
    coarse, coarsely = laid.view(scale, size, 1)
    assert (coarsely & asked).sum() / (coarsely | asked).sum() > 0.85
    inside = slice(8, -8)
    difference = (coarse - shrink(tones, size))[inside, inside]
    assert np.abs(difference).mean() < 0.02 * float(np.ptp(tones))


def test_the_best_covering_example_is_taken_and_a_wished_contrast_decides_between_equals():
    line = np.zeros((64, 64), bool)
    line[30:33, 10:54] = True
    dark, light, bar = example(hook(), 20), example(hook(), 90), example(line)
    rng = np.random.default_rng(0)
    chosen = {id(lay_under(hook(), 1.0, [dark, bar, light], "none", None, rng).example) for _ in range(20)}
    assert chosen == {id(dark), id(light)}
    for wish, expected in ((-1.0, dark), (1.0, light)):
        assert lay_under(hook(), 1.0, [dark, bar, light], "none", wish, rng).example is expected


def test_an_example_as_thick_as_the_mask_goes_before_a_thicker_one():
    wanted, furrow, crack = (np.zeros((64, 64), bool) for _ in range(3))
    wanted[30:33, 10:54] = True
    furrow[27:36, 10:54] = True
    for column in range(10, 54):
        row = 31 + round(2 * np.sin(column / 5))
        crack[row - 1 : row + 2, column] = True
    thick, thin = example(furrow), example(crack)
    rng = np.random.default_rng(0)
    assert all(lay_under(wanted, 1.0, [thick, thin], "none", None, rng).example is thin for _ in range(20))


def test_a_long_thin_defect_is_painted_thin():
    """Whole in one crop of 32 px it would be a pixel broad, twelve of the camera's."""
    mask = np.zeros((240, 240), bool)
    mask[118:121, 5:235] = True
    painted = brush("example", [example(mask)]).paint([Patch(np.full((240, 240, 1), 150, np.uint8), mask, "nick", 3)])
    assert (painted[0].mask & mask).sum() > 0.8 * mask.sum()
    assert thickness_px(painted[0].mask) < 5


def test_too_many_windows_are_looked_at_more_coarsely():
    mask = np.zeros((240, 240), bool)
    mask[118:121, 5:235] = True
    patch = Patch(np.full((240, 240, 1), 150, np.uint8), mask, "nick", 3)
    few = brush("example", [example(mask)], most=2)
    assert thickness_px(few.paint([patch])[0].mask) > 5


@pytest.mark.parametrize(("share", "gain"), [(None, 1.0), (1.0, 1.0), (0.8, 0.8), (1.3, 1.3), (9.0, 1.6), (-1.0, 1.0)])
def test_an_example_is_made_stronger_or_weaker_towards_a_wish(share, gain):
    shown = example(hook(), 90)
    wish = None if share is None else share * shown.contrast
    laid = lay_under(hook(), 1.0, [shown], "none", wish, np.random.default_rng(0))
    plain = lay_under(hook(), 1.0, [shown], "none", None, np.random.default_rng(0))
    tones = [each.view(1.0, (64, 64), 1)[0][hook()] for each in (laid, plain)]
    assert tones[0] == pytest.approx(gain * tones[1], rel=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_examples_come_back_from_disk(tmp_path, dtype):
    held = cut_examples(sample(hook(), channels=3, dtype=dtype), SETTINGS)
    save_examples(tmp_path / "a.safetensors", held)
    save_examples(tmp_path / "b.safetensors", held)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    (again,) = load_examples(tmp_path / "a.safetensors")
    assert again.image.dtype == dtype
    assert np.array_equal(again.image, held[0].image)
    assert np.array_equal(again.own, held[0].own)
    assert (again.label, again.source) == ("nick", "s")
    assert (again.reach, again.contrast) == (held[0].reach, held[0].contrast)
    with pytest.raises(StageError, match="fit the generator again"):
        load_examples(tmp_path / "none.safetensors")


def brush(
    begin: str, examples: list[Example], sigma: float = 0.05, most: int = 64, freedom: float = 1.0
) -> LocalPainter:
    """A painter whose network, fresh, leaves what it is shown: its estimate is the noisy input, scaled."""
    torch.manual_seed(0)
    told = SETTINGS.model_copy(
        update={
            "sampling": SETTINGS.sampling.model_copy(
                update={"begin": begin, "example_noise": sigma, "max_windows": most, "freedom": freedom}
            )
        }
    )
    return LocalPainter(LocalNet(1, 1, len(GUIDE), SETTINGS.net), ("nick",), told, "0" * 64, examples)


@pytest.mark.parametrize("size", [32, 96])
def test_with_hardly_any_noise_the_example_itself_is_painted(size):
    """What is painted from an example keeps its layout; from noise alone it does not."""
    stretch = size // 32
    mask = np.kron(hook()[10:42, 14:46], np.ones((stretch, stretch))) > 0
    shown = sample(mask)
    ground = np.full((size, size, 1), 150, np.uint8)
    patch = Patch(ground, mask, "nick", 3)
    near = brush("example", cut_examples(shown, SETTINGS)).paint([patch])[0]
    far = brush("noise", cut_examples(shown, SETTINGS)).paint([patch])[0]
    inside = mask & near.mask
    assert inside.sum() > 0.8 * mask.sum()

    def likeness(image: np.ndarray) -> float:
        return float(np.corrcoef(image[..., 0][inside], shown.image[..., 0][inside])[0, 1])

    assert likeness(near.image) > 0.9
    assert likeness(far.image) < 0.7
    assert (near.source, far.source) == ("s", None)
    assert far.shown is None
    assert np.corrcoef(near.shown[inside].ravel(), shown.image[inside].ravel())[0, 1] > 0.97  # laid between pixels
    assert (near.shown.shape, near.shown.dtype) == (ground.shape, ground.dtype)


def test_given_freedom_every_defect_goes_as_far_from_its_example_as_its_seed_says():
    mask = hook()[10:42, 14:46]
    ground = np.full((32, 32, 1), 150, np.uint8)
    patches = [Patch(ground, mask, "nick", seed) for seed in range(8)]
    examples = cut_examples(sample(mask), SETTINGS)

    def away(freedom):
        """Return how far each painting is from one with hardly any noise."""
        paintings = brush("example", examples, 0.2, freedom=freedom).paint(patches)
        return np.array([abs(each.image.astype(float) - like)[mask].mean() for each in paintings])

    like = brush("example", examples, 0.021).paint(patches[:1])[0].image.astype(float)
    tied, free = away(1.0), away(8.0)
    assert (free >= 0.9 * tied).all()
    assert free.max() > 2 * tied.max()
    assert free.min() < 0.5 * free.max()
    assert np.array_equal(free, away(8.0))


def test_noise_that_could_not_fall_is_refused():
    with pytest.raises(ValidationError, match=r"detail_noise .* must lie above sigma_min"):
        SamplingSettings(detail_noise=0.02)


def test_good_needs_no_example_and_neighbours_change_no_pixel():
    mask = hook()
    ground = np.random.default_rng(0).integers(100, 160, (64, 64, 1)).astype(np.uint8)
    painter = brush("example", [example(mask)], 0.5)
    patches = [Patch(ground, mask, "nick", 1), Patch(ground, mask, GOOD, 2), Patch(ground, np.rot90(mask), "nick", 3)]
    together = painter.paint(patches)
    for alone, beside in zip([painter.paint([each])[0] for each in patches], together, strict=True):
        assert np.array_equal(alone.image, beside.image)
        assert np.array_equal(alone.mask, beside.mask)


def test_examples_of_another_fit_are_refused(tmp_path):
    world = DemoSettings(size_hw=(64, 64), good=4, per_class=2, most_shots=1, faint_share=0.0)
    catalog = write_demo(tmp_path / "data", world)
    tiny = SETTINGS.model_copy(update={"loop": LoopSettings(steps=1, batch=2)})
    LOCAL.fit(catalog, tiny, tmp_path / "model", seed=0)
    assert {each.label for each in LOCAL.load(tmp_path / "model").examples} == {each.label for each in catalog} - {GOOD}
    save_examples(tmp_path / "model" / EXAMPLES, [example(hook())])
    with pytest.raises(StageError, match="does not belong"):
        LOCAL.load(tmp_path / "model")


def test_the_smallest_defect_is_an_example_too():
    speck = np.zeros((64, 64), bool)
    speck[30, 31] = True
    laid = lay_under(np.roll(speck, 5, 0), 1.0, [example(speck)], "square", None, np.random.default_rng(0))
    assert laid.view(1.0, speck.shape, 1)[1][35, 31]


def test_weights_of_another_version_are_refused(tmp_path):
    save_net(tmp_path / WEIGHTS, LocalNet(1, 1, len(GUIDE), SETTINGS.net), {"labels": ["nick"]})
    with pytest.raises(StageError, match="another version"):
        LOCAL.load(tmp_path)
