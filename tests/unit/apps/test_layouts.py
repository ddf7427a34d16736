"""The list of layouts on the command line."""

from typer.testing import CliRunner

from flawsmith.apps.cli.main import app
from flawsmith.data.readers import READERS
from flawsmith.data.readers.layouts import layouts


def test_every_layout_is_listed_with_its_example(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["check", "--layouts"])
    assert done.exit_code == 0
    assert len(layouts()) == len(READERS)
    for each in layouts():
        assert f"{each.name}: {each.summary}\n" in done.stdout
        assert all(f"    {line}\n" in done.stdout for line in each.example.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_data_is_still_asked_for():
    assert CliRunner().invoke(app, ["check"]).exit_code == 2
