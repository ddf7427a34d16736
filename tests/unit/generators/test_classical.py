"""The classical generators: what they paste, where, and the maths under them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import laplace

from flawsmith.core.errors import SettingsError, StageError
from flawsmith.core.records import Catalog, Defect, Entry, MaskFile, Patch, Sample
from flawsmith.core.rng import stream
from flawsmith.data.image_io import write_image, write_mask
from flawsmith.generators.classical.bank import BANK, Bank, Cutout, cut_defects, cut_texture
from flawsmith.generators.classical.family import COPY_PASTE, COPY_PASTE_POISSON, CUTMIX, PERLIN
from flawsmith.generators.classical.noise import lattice_noise, perlin
from flawsmith.generators.classical.paste import copy_paste, copy_paste_poisson, cutmix
from flawsmith.generators.classical.pixels import lay_over, to_plate
from flawsmith.generators.classical.poisson import MOST_UNKNOWNS, seamless
from flawsmith.generators.classical.selfmade import cutpaste, perlin_texture
from flawsmith.generators.classical.settings import (
    CutMixSettings,
    CutPasteSettings,
    PasteSettings,
    PerlinSettings,
    PoissonSettings,
)
from flawsmith.generators.classical.texture import CHANGES, foreign_texture
from flawsmith.generators.classical.turn import CLEAR_PX, choose, draw_turn, lay
from flawsmith.generators.membrane import membrane
from flawsmith.masks.morphology import dilate, feather, tight

AS_IT_IS = {"symmetry": "none", "rotation_deg": 0.0, "least_scale": 1.0, "most_scale": 1.0}


def disc(hw: tuple[int, int], center: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.indices(hw)
    return np.hypot(y - center[0], x - center[1]) <= radius


def sample(seed: int = 0, level: float = 150, channels: int = 1, radius: float = 7, hw=(64, 64)) -> Sample:
    rng = np.random.default_rng(seed)
    image = rng.normal(level, 3, (*hw, channels))
    mask = disc(hw, (30, 32), radius)
    image[mask] = rng.uniform(20, 90, (int(mask.sum()), channels))
    return Sample(f"s/{seed}", image.clip(0, 255).astype(np.uint8), "pit", (Defect("pit", mask),))


def patch(level: float = 150, seed: int = 0, channels: int = 1, dtype=np.uint8, side: int = 72) -> Patch:
    background = np.random.default_rng(seed + 50).normal(level, 3, (side, side, channels)).clip(0, 255)
    mask = disc((side, side), (34, 40), 7)
    return Patch((background * (np.iinfo(dtype).max / 255)).astype(dtype), mask, "pit", seed)


def bank(*samples: Sample) -> Bank:
    cutouts = tuple(cutout for each in samples or (sample(),) for cutout in cut_defects(each))
    return Bank("copy_paste", {}, cutouts, (sample(9).image, sample(8, channels=3).image))


def test_copy_paste_as_it_is_pastes_the_donors_pixels_and_feathers_them():
    asked, chosen = patch(), PasteSettings(**AS_IT_IS, core_px=1.0, feather_px=3.0)
    painting = copy_paste(asked, bank(), chosen, stream(0, "x"))
    moved = np.zeros_like(asked.mask)
    moved[4:68, 8:72] = sample().mask  # from (30, 32) to the centroid asked for, (34, 40)
    assert np.array_equal(painting.mask, moved)
    donor, made = sample().image[sample().mask].astype(float), painting.image[moved].astype(float)
    ratio = made / np.maximum(donor, 1)
    assert np.ptp(ratio[donor > 30]) < 0.05
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    far = feather(moved, 1, 3) == 0
    assert np.array_equal(painting.image[far], asked.background[far])


@pytest.mark.parametrize("level", [100, 200])
def test_copy_paste_follows_the_brightness_of_the_background(level):
    asked = patch(level)
    painting = copy_paste(asked, bank(), PasteSettings(**AS_IT_IS), stream(0, "x"))
    made, donor = painting.image[painting.mask].mean(), sample().image[sample().mask].mean()
    assert made / donor == pytest.approx(level / 150, rel=0.05)


@pytest.mark.parametrize("level", [130, 150, 220])
def test_poisson_keeps_the_backgrounds_brightness_and_the_donors_gradients(level):
    asked = patch(level)
    painting = copy_paste_poisson(asked, bank(), PoissonSettings(**AS_IT_IS, region_px=3), stream(0, "x"))
    region = dilate(painting.mask, 3)
    assert np.array_equal(painting.image[~region], asked.background[~region])
    edge = region & ~dilate(painting.mask, 2)
    assert painting.image[edge].mean() == pytest.approx(level, abs=8)
    donor = sample().image[sample().mask].astype(float)[:, 0]
    made = painting.image[painting.mask].astype(float)[:, 0]
    unclipped = (made > 0) & (made < 255)
    assert np.corrcoef(donor[unclipped], made[unclipped])[0, 1] > 0.9


def test_cutmix_pastes_a_rectangle_as_it_is():
    asked = patch(220)
    painting = cutmix(asked, bank(), CutMixSettings(most_context=0.5), stream(1, "x"))
    changed = (painting.image != asked.background).any(2)
    box = tight(changed)
    assert box.cut(changed).mean() > 0.95
    assert painting.image[painting.mask].tolist() == sample().image[sample().mask].tolist()
    assert changed[painting.mask].all()
    context = tight(painting.mask).cut(painting.image)[~tight(painting.mask).cut(painting.mask)]
    assert context.mean() == pytest.approx(150, abs=5)


@pytest.mark.parametrize("scar_share", [0.0, 1.0])
def test_cutpaste_without_jitter_moves_pixels_of_the_background(scar_share):
    side = 72
    ramp = (np.indices((side, side))[0] + 100 * (np.indices((side, side))[1] % 2))[..., None].astype(np.uint8)
    asked = Patch(ramp, patch().mask, "anything", 0)
    for seed in range(12):
        painting = cutpaste(
            asked, Bank("cutpaste", {}), CutPasteSettings(scar_share=scar_share, jitter=0.0), stream(seed)
        )
        assert np.array_equal(painting.image[~painting.mask], ramp[~painting.mask])
        assert painting.mask.any()
        box = tight(painting.mask).size_hw
        share = painting.mask.sum() / (box[0] * box[1])
        assert share == 1 if not scar_share else share < 0.99 or min(box) <= 8
        if not scar_share:
            known = {tuple(row) for row in ramp.reshape(-1, 1).tolist()}
            assert {tuple(row) for row in painting.image[painting.mask].tolist()} <= known
            assert painting.mask.sum() == pytest.approx(15 * 15, rel=0.35)
            assert 0.2 < box[0] / box[1] < 5


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), channels=st.sampled_from([1, 3]), dtype=st.sampled_from([np.uint8, np.uint16]))
def test_perlin_paints_inside_the_box_only(seed, channels, dtype):
    asked = patch(seed=seed, channels=channels, dtype=dtype)
    painting = perlin_texture(asked, bank(), PerlinSettings(), stream(seed, "x"))
    inside = np.zeros_like(asked.mask)
    tight(asked.mask).cut(inside)[:] = True
    assert painting.mask.any()
    assert not (painting.mask & ~inside).any()
    assert np.array_equal(painting.image[~painting.mask], asked.background[~painting.mask])


def test_opacity_is_the_share_of_the_texture():
    asked, dark = patch(), Bank("perlin", {}, (), (np.zeros((96, 96, 1), np.uint8),))
    for opacity in (0.25, 1.0):
        told = PerlinSettings(least_opacity=opacity, most_opacity=opacity, changes=0)
        painting = perlin_texture(asked, dark, told, stream(0, "x"))
        expected = (1 - opacity) * asked.background[painting.mask].astype(float)
        np.testing.assert_allclose(painting.image[painting.mask], expected, atol=0.6)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_perlin_noise_is_zero_on_the_lattice_bounded_and_smooth(seed):
    corners = np.indices((6, 7)).astype(float)
    assert np.abs(lattice_noise(np.random.default_rng(seed), corners)).max() < 1e-6
    noise = perlin(np.random.default_rng(seed), (40, 50), 16.0)
    assert noise.shape == (40, 50)
    assert np.abs(noise).max() <= 1.05
    assert max(np.abs(np.diff(noise, axis=axis)).max() for axis in (0, 1)) < 0.35
    assert noise.std() > 0.02


def test_finer_cells_make_finer_noise():
    rough, fine = (perlin(np.random.default_rng(0), (64, 64), cell) for cell in (32.0, 4.0))
    assert np.abs(np.diff(fine)).mean() > 3 * np.abs(np.diff(rough)).mean()


@settings(max_examples=20, deadline=None)
@given(slope=st.tuples(st.floats(-1, 1), st.floats(-1, 1)), seed=st.integers(0, 1000))
def test_the_membrane_of_a_plane_is_the_plane(slope, seed):
    """Linear functions are harmonic: whatever lies in a closed region, the border alone restores them."""
    y, x = np.indices((24, 30))
    plane = (slope[0] * y + slope[1] * x)[..., None]
    region = np.random.default_rng(seed).random((24, 30)) < 0.7
    region[[0, -1]] = region[:, [0, -1]] = False
    spoilt = np.where(region[..., None], 1e3, plane)
    np.testing.assert_allclose(membrane(spoilt, region), plane, atol=1e-8)


def test_the_membrane_solves_laplaces_equation():
    rng, region = np.random.default_rng(0), disc((40, 40), (20, 20), 12)
    values = rng.normal(size=(40, 40, 2))
    solved = membrane(values, region)
    for channel in range(2):
        assert np.abs(laplace(solved[..., channel])[region]).max() < 1e-9
    assert np.array_equal(solved[~region], values[~region])
    assert solved[region].max() <= values[~region].max()


def test_seamless_has_the_donors_gradients_and_no_seam():
    rng, region = np.random.default_rng(0), disc((40, 40), (20, 20), 12)
    donor, background = rng.random((40, 40, 1)), np.full((40, 40, 1), 0.5)
    blended = seamless(background, donor, region)
    assert np.array_equal(blended[~region], background[~region])
    deep = disc((40, 40), (20, 20), 10)
    np.testing.assert_allclose(laplace(blended[..., 0])[deep], laplace(donor[..., 0])[deep], atol=1e-9)
    same = seamless(background, background + 0.3, region)
    np.testing.assert_allclose(same, background, atol=1e-9)


def test_large_regions_are_solved_coarsely_and_nearly_as_well():
    y, x = np.indices((260, 260)) / 260
    background = (0.3 + 0.2 * y + 0.1 * np.sin(3 * x))[..., None].astype(np.float32)
    region = disc((260, 260), (130, 130), 110)
    assert region.sum() > MOST_UNKNOWNS
    donor = np.full((260, 260, 1), 0.9, np.float32)
    coarse, exact = seamless(background, donor, region), donor + membrane(background - donor, region)
    assert np.abs(coarse - exact)[region].max() < 0.02
    assert np.array_equal(coarse[~region], background[~region])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_laying_over_is_exact_at_both_ends(dtype):
    rng, top = np.random.default_rng(0), np.iinfo(dtype).max
    below, above = (rng.integers(0, top, (20, 20, 3), endpoint=True).astype(dtype) for _ in range(2))
    alpha = np.zeros((20, 20), np.float32)
    alpha[:, 10:] = 1
    laid = lay_over(below, to_plate(above, 3), alpha)
    assert laid.dtype == dtype
    assert np.array_equal(laid[:, :10], below[:, :10])
    assert np.array_equal(laid[:, 10:], above[:, 10:])


def test_plates_change_channels_and_depth():
    grey = np.full((2, 2, 1), 65535, np.uint16)
    assert np.array_equal(to_plate(grey, 3), np.ones((2, 2, 3), np.float32))
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert to_plate(red, 1)[0, 0, 0] == pytest.approx(0.299)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), place=st.tuples(st.integers(0, 47), st.integers(0, 47)))
def test_a_donor_lies_at_the_place_asked_and_stays_inside(seed, place):
    rng = np.random.default_rng(seed)
    asked = Patch(np.zeros((48, 48, 1), np.uint8), disc((48, 48), place, 4), "pit", seed)
    donor = lay(cut_defects(sample(seed))[0], asked, draw_turn(rng, PasteSettings()))
    box = tight(donor.mask)
    assert box.top >= CLEAR_PX - 1
    assert box.left >= CLEAR_PX - 1
    assert max(box.bottom, box.right) <= 48 - CLEAR_PX + 1
    centre = np.argwhere(donor.mask).mean(0)
    wanted = np.clip(np.argwhere(asked.mask).mean(0), 12, 36)
    assert np.abs(centre - wanted).max() <= 7
    assert donor.known[donor.mask].all()


def test_a_donor_larger_than_the_crop_is_shrunk():
    large = cut_defects(sample(radius=25, hw=(64, 64)))[0]
    asked = Patch(np.zeros((32, 32, 1), np.uint8), disc((32, 32), (16, 16), 8), "pit", 0)
    box = tight(lay(large, asked, np.eye(2)).mask)
    assert max(box.size_hw) <= 32 - 2 * CLEAR_PX + 1


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), symmetry=st.sampled_from(["none", "mirror", "square"]))
def test_turns_scale_within_what_was_told(seed, symmetry):
    turn = draw_turn(np.random.default_rng(seed), PasteSettings(symmetry=symmetry, least_scale=0.5, most_scale=2.0))
    scale = np.sqrt(abs(np.linalg.det(turn)))
    assert 0.5 <= scale <= 2.0 + 1e-9
    np.testing.assert_allclose(turn @ turn.T, scale**2 * np.eye(2), atol=1e-9)
    if symmetry == "none":
        assert np.rad2deg(np.arccos(np.clip(turn[0, 0] / scale, -1, 1))) <= 15 + 1e-6


def test_donors_of_the_size_asked_for_are_drawn_more_often():
    sizes = (3, 7, 20)
    cutouts = [cut_defects(sample(radius=radius))[0] for radius in sizes]
    drawn = [choose(cutouts, patch(), np.random.default_rng(seed)) for seed in range(200)]
    counts = [sum(each is cutout for each in drawn) for cutout in cutouts]
    assert counts[1] > 150
    assert counts[2] < counts[1]


@pytest.mark.parametrize("shape", [(20, 30, 1), (150, 40, 3), (1, 1, 1)])
@pytest.mark.parametrize("changes", [0, 3, len(CHANGES) - 1])
def test_foreign_textures_have_the_shape_and_range_asked_for(shape, changes):
    for seed in range(6):
        texture = foreign_texture(bank().textures, shape, np.random.default_rng(seed), changes)
        assert texture.shape == shape
        assert texture.dtype == np.float32
        assert np.isfinite(texture).all()
        assert 0 <= texture.min() <= texture.max() <= 1


def test_cutouts_show_one_piece_with_surroundings_and_leave_specks_out():
    mask = disc((90, 90), (20, 20), 6) | disc((90, 90), (70, 70), 6)
    mask[5, 85] = True
    image = np.arange(90 * 90, dtype=np.uint16).reshape(90, 90, 1)
    pieces = cut_defects(Sample("s/1", image, "pit", (Defect("pit", mask),)))
    assert len(pieces) == 2
    for piece in pieces:
        assert (piece.label, piece.source) == ("pit", "s/1")
        assert piece.image.shape[:2] == piece.mask.shape
        assert piece.mask.sum() == disc((90, 90), (20, 20), 6).sum()
        box = tight(piece.mask)
        assert min(box.top, box.left, piece.mask.shape[0] - box.bottom, piece.mask.shape[1] - box.right) >= 12
        assert set(piece.image[piece.mask].ravel()) <= set(image[mask].ravel())


def test_textures_are_pieces_of_the_picture():
    piece = cut_texture(sample(), 20, np.random.default_rng(0))
    assert piece.shape == (20, 20, 1)
    windows = np.lib.stride_tricks.sliding_window_view(sample().image[..., 0], (20, 20))
    assert (windows == piece[..., 0]).all((2, 3)).any()
    assert cut_texture(sample(), 500, np.random.default_rng(0)).shape == (64, 64, 1)


def test_a_bank_is_saved_and_read_back_and_equal_banks_are_equal_bytes(tmp_path):
    kept = Bank("copy_paste", {"a": 1}, bank().cutouts, bank().textures)
    for name in ("one", "two"):
        kept.save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    back = Bank.load(tmp_path / "one", "copy_paste")
    assert (back.settings, back.labels) == ({"a": 1}, ("pit",))
    for one, other in zip(back.cutouts, kept.cutouts, strict=True):
        assert (one.label, one.source) == (other.label, other.source)
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.mask, other.mask)
        assert one.mask.dtype == np.bool_
    assert all(map(np.array_equal, back.textures, kept.textures))


def test_a_bank_that_is_missing_or_of_another_family_is_refused(tmp_path):
    with pytest.raises(StageError, match="fit it first"):
        COPY_PASTE.load(tmp_path)
    Bank("cutmix", {}, bank().cutouts).save(tmp_path / BANK)
    with pytest.raises(StageError, match="fitted as 'cutmix', expected 'copy_paste'"):
        COPY_PASTE.load(tmp_path)


def catalog(root, count: int = 3) -> Catalog:
    entries = []
    for number in range(count):
        each = sample(number)
        write_image(root / f"{number}.png", each.image)
        write_mask(root / f"{number}_mask.png", each.mask)
        write_image(root / f"good{number}.png", patch(seed=number).background)
        masks = (MaskFile(root / f"{number}_mask.png", "pit"),)
        entries.append(Entry(f"pit/{number}", root / f"{number}.png", "pit", f"p{number}", masks))
        entries.append(Entry(f"good/{number}", root / f"good{number}.png", "good", f"g{number}"))
    return Catalog("pits", root, "test", tuple(entries))


def test_fitting_reports_progress_and_keeps_every_defect(tmp_path):
    seen = []
    folder = tmp_path / "model"
    folder.mkdir()
    data = catalog(tmp_path)
    COPY_PASTE.fit(data, PasteSettings(), folder, seed=0, progress=lambda *each: seen.append(each))
    assert seen == [("fit", n, 3, "copy_paste") for n in (1, 2, 3)]
    kept = COPY_PASTE.load(folder).bank
    assert [cutout.source for cutout in kept.cutouts] == ["pit/0", "pit/1", "pit/2"]
    assert np.array_equal(kept.cutouts[0].image[kept.cutouts[0].mask], sample(0).image[sample(0).mask])


def test_the_seed_decides_the_textures_and_their_number_is_kept(tmp_path):
    data, texts = catalog(tmp_path), PerlinSettings(textures=5, texture_side=24)
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        folder.mkdir()
        PERLIN.fit(data, texts, folder, seed=seed)
    one, same, other = ((folder / BANK).read_bytes() for folder in folders)
    assert one == same
    assert one != other
    textures = PERLIN.load(folders[0]).bank.textures
    assert [texture.shape for texture in textures] == [(24, 24, 1)] * 5


@pytest.mark.parametrize("family", [COPY_PASTE, COPY_PASTE_POISSON, CUTMIX], ids=lambda family: family.name)
def test_a_patch_without_a_training_defect_is_refused(family, tmp_path):
    family.fit(catalog(tmp_path), family.settings(), tmp_path, seed=0)
    with pytest.raises(SettingsError, match="unknown defect class 'pits'; did you mean 'pit'"):
        family.load(tmp_path).paint([Patch(patch().background, patch().mask, "pits", 0)])


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1), (2, 3)])
@pytest.mark.parametrize("painter", [copy_paste, copy_paste_poisson, cutmix, cutpaste, perlin_texture])
def test_thin_and_tiny_masks_are_painted_too(painter, shape):
    mask = np.zeros((72, 72), bool)
    mask[30 : 30 + shape[0], 20 : 20 + shape[1]] = True
    asked = Patch(patch().background, mask, "pit", 0)
    chosen = {
        copy_paste: PasteSettings(),
        copy_paste_poisson: PoissonSettings(),
        cutmix: CutMixSettings(),
        cutpaste: CutPasteSettings(),
        perlin_texture: PerlinSettings(),
    }[painter]
    thin = Cutout(
        "pit", "s", sample().image, np.pad(np.ones(shape, bool), ((9, 64 - 9 - shape[0]), (9, 55 - shape[1])))
    )
    painting = painter(asked, Bank("x", {}, (thin,), bank().textures), chosen, stream(0, "x"))
    assert painting.mask.any()
    assert (painting.image != asked.background).any()
