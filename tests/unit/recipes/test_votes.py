"""A whole count: from tables and masks to labels, numbers, sheets and the page."""

import csv

import numpy as np
import pytest
from pages import Page
from typer.testing import CliRunner

import flawsmith
from flawsmith.apps.cli.main import app, main
from flawsmith.core.errors import DataError, SettingsError
from flawsmith.data.image_io import read_image, write_image, write_mask
from flawsmith.data.readers import read_catalog
from flawsmith.data.votes.suspects import INSTALL, cleanlab_version

WICKED = "<script>alert(1)&.png"
SAID = {
    "1.png": ("dent", "dent", "dent"),
    "2.png": ("dent", "good", "dent"),
    "3.png": ("good", "good", "good"),
    "4.png": ("good", "OK", "crack"),
    "5.png": ("dent", "", "crack"),
    "6.png": ("", "", "dent"),
    "7.png": ("dent", "crack", "good"),
    WICKED: ("unusable", "unusable", "dent"),
}
WHO = ("anna", "ben", "cem")


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(SAID):
        write_image(tmp_path / "set" / name, np.random.default_rng(number).integers(0, 255, (24, 32, 1), np.uint8))
    return tmp_path / "set"


@pytest.fixture
def by(root, tmp_path):
    for number, who in enumerate(WHO):
        with (tmp_path / f"{who}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("file", "label"), *((image, said[number]) for image, said in SAID.items())])
    return {who: tmp_path / f"{who}.csv" for who in WHO}


def rows(file):
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def count(root, by, tmp_path, **values):
    return flawsmith.votes(root, by, tmp_path / "out", **{"draws": 30, "suspects": False, **values})


def test_every_image_is_counted_and_none_is_decided_silently(root, by, tmp_path):
    done = count(root, by, tmp_path)
    assert done.labels == {"1.png": "dent", "2.png": "dent", "3.png": "good", "4.png": "good"}
    told = {row["image"]: row for row in rows(done.folder / "votes.csv")}
    assert {image: row["status"] for image, row in told.items()} == {
        **dict.fromkeys(done.labels, "voted"), "5.png": "tie", "6.png": "too few", "7.png": "tie", WICKED: "dropped",
    }  # fmt: skip
    assert (told["2.png"]["agreement"], told["6.png"]["agreement"]) == ("0.3333", "")
    assert (told["2.png"]["votes_dent"], told["2.png"]["votes_good"]) == ("2", "1")
    assert [told["5.png"][f"by_{who}"] for who in WHO] == ["dent", "", "crack"]
    unclear = [row["image"] for row in rows(done.folder / "ambiguous.csv")]
    assert sorted(unclear) == sorted(["2.png", "4.png", "5.png", "7.png", WICKED])
    assert set(unclear[:2]) == {"5.png", "7.png"}, "the least agreed first"


def test_the_numbers_are_those_of_the_tables(root, by, tmp_path):
    numbers = count(root, by, tmp_path).agreement
    assert numbers["images"] == 8
    assert numbers["inspectors"] == {"anna": 7, "ben": 6, "cem": 8}
    assert (numbers["fleiss"]["images"], numbers["fleiss"]["votes_per_image"]) == (6, 3)
    assert numbers["labels"]["dent"]["voted"] == 2
    assert numbers["labels"]["dent"]["given"] == {"anna": 4, "ben": 1, "cem": 4}
    pair = numbers["cohen"][0]
    one = [said[0] for said in SAID.values() if said[0] and said[1]]
    other = [said[1].replace("OK", "good") for said in SAID.values() if said[0] and said[1]]
    from sklearn.metrics import cohen_kappa_score

    assert (pair["one"], pair["other"], pair["images"]) == ("anna", "ben", len(one))
    assert pair["kappa"] == pytest.approx(cohen_kappa_score(one, other))
    assert pair["low"] <= pair["kappa"] <= pair["high"]
    assert numbers["boxes"] is None
    assert numbers["masks"] == []


def test_the_page_shows_pictures_and_no_strangers_code(root, by, tmp_path):
    shown = Page(count(root, by, tmp_path).page)
    assert "script" not in shown.tags
    assert WICKED in shown.texts
    assert shown.tags.count("img") == 5 + 4, "ambiguous images and spot checks"
    assert all(source.startswith("data:image/png;base64,") for source in shown.sources)


def test_spot_checks_are_drawn_from_the_voted_images_by_the_seed(root, by, tmp_path):
    def drawn(**values):
        return [row["image"] for row in rows(count(root, by, tmp_path, **values).folder / "spot_check.csv")]

    assert set(drawn()) == {"1.png", "2.png", "3.png", "4.png"}
    assert drawn(spot_checks=2) == drawn(spot_checks=2)
    assert {tuple(drawn(spot_checks=2, seed=seed)) for seed in range(6)} > {tuple(drawn(spot_checks=2))}


def test_a_second_count_does_nothing_and_a_changed_table_is_seen(root, by, tmp_path):
    first = count(root, by, tmp_path).page
    written = first.stat().st_mtime_ns
    assert count(root, by, tmp_path).page.stat().st_mtime_ns == written
    by["ben"].write_text("file,label\n2.png,dent\n", encoding="utf-8")
    again = count(root, by, tmp_path)
    assert again.page.stat().st_mtime_ns != written
    assert again.agreement["inspectors"]["ben"] == 1


def test_labels_and_masks_beside_the_images_are_a_data_set(root, tmp_path):
    by = {}
    for number, who in enumerate(WHO):
        by[who] = [tmp_path / f"{who}.csv", tmp_path / who]
        by[who][0].write_text("file,label\n1.png,dent\n2.png,good\n", encoding="utf-8")
        mask = np.zeros((24, 32), bool)
        mask[4 + number : 9 + number, 10:20] = True
        write_mask(tmp_path / who / "1.png", mask)
        write_mask(tmp_path / who / "2.png", np.zeros((24, 32), bool))
    done = count(root, by, tmp_path)
    assert done.agreement["masks"][0] == {"one": "anna", "other": "ben", "images": 2, "mean_iou": pytest.approx(5 / 6)}
    (root / "labels.csv").write_bytes((done.folder / "labels.csv").read_bytes())
    (root / "masks").mkdir()
    (root / "masks/1.png").write_bytes((done.folder / "masks/1.png").read_bytes())
    catalog = read_catalog(root, layout="csv")
    assert {entry.id: (entry.label, len(entry.masks)) for entry in catalog} == {"1": ("dent", 1), "2": ("good", 0)}
    assert np.flatnonzero(read_image(root / "masks/1.png")[:, 12, 0]).tolist() == [5, 6, 7, 8, 9]


def test_boxes_are_compared_in_the_numbers(root, tmp_path):
    texts = {"anna": "1.png,dent,0,0,9,9\n1.png,dent,20,0,29,9\n", "ben": "1.png,crack,0,0,9,9\n"}
    for who, text in texts.items():
        (tmp_path / f"{who}.csv").write_text(f"file,label,x1,y1,x2,y2\n{text}3.png,good,,,,\n", encoding="utf-8")
    done = count(root, {who: tmp_path / f"{who}.csv" for who in texts}, tmp_path)
    (pair,) = done.agreement["boxes"]["pairs"]
    assert (pair["images"], pair["count"], pair["name"], pair["size"], pair["place"]) == (2, 1, 1, 0, 0)
    differing = {"image": "1.png", "one": "anna", "other": "ben", "differ_in": ["count", "name"]}
    assert done.agreement["boxes"]["images"] == [differing]
    assert Page(done.page).tags.count("img") == 1 + 2 * 2 + 1, "two outlined tiles, a check"


def test_groups_are_drawn_together(root, by, tmp_path):
    (root / "groups.csv").write_text("file,group\n1.png,a\n2.png,a\n3.png,a\n4.png,a\n", encoding="utf-8")
    grouped = count(root, by, tmp_path).agreement["fleiss"]
    (root / "groups.csv").unlink()
    alone = count(root, by, tmp_path).agreement["fleiss"]
    assert grouped["kappa"] == alone["kappa"]
    assert (grouped["low"], grouped["high"]) != (alone["low"], alone["high"])


def test_what_is_missing_is_said(root, by, tmp_path):
    if cleanlab_version() is not None:
        pytest.skip("cleanlab is installed")
    done = count(root, by, tmp_path, suspects=True)
    assert done.counts["suspects"] is None
    assert INSTALL in done.agreement["suspects"]
    assert INSTALL in done.page.read_text(encoding="utf-8").replace("&#39;", "'")
    assert not (done.folder / "suspects.csv").exists()


def test_suspects_are_written(root, by, tmp_path):
    pytest.importorskip("cleanlab", reason=f"cleanlab is not installed ({INSTALL})")
    for number in range(8, 40):
        array = np.full((24, 32, 1), 60 if number % 2 else 200, np.uint8)
        write_image(root / f"{number}.png", array)
    labels = ["good" if number % 2 else "dent" for number in range(8, 40)]
    labels[5], labels[20] = labels[20], labels[5]
    for who in WHO[:2]:
        lines = [f"{number}.png,{label}" for number, label in enumerate(labels, 8)]
        by[who].write_text("\n".join(["file,label", *lines]), encoding="utf-8")
    done = count(root, {who: by[who] for who in WHO[:2]}, tmp_path, suspects=True, join_lookalikes=False)
    assert sorted(row["image"] for row in rows(done.folder / "suspects.csv")) == ["13.png", "28.png"]
    assert done.counts["suspects"] == 2


def test_images_are_never_written_to(root, by, tmp_path):
    with pytest.raises(DataError, match="lies inside the folder of images"):
        flawsmith.votes(root, by, root / "out")
    with pytest.raises(SettingsError, match="least_votes"):
        flawsmith.votes(root, by, tmp_path / "out", least_vote=3)


def test_the_command_counts(root, by, tmp_path):
    given = [word for who, file in by.items() for word in ("--by", f"{who}={file}")]
    command = ["votes", str(root), *given, "--out", str(tmp_path / "run"), "--quiet", "draws=20", "suspects=false"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert "8 images: voted 4, tie 2, too few 1, dropped 1; 5 ambiguous" in done.output
    assert (tmp_path / "run/votes/votes.html").is_file()


def test_a_command_that_makes_no_sense_ends_with_two(root, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["flawsmith", "votes", str(root), "--by", "anna.csv"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "expected --by NAME=PATH, got 'anna.csv'" in capsys.readouterr().err
