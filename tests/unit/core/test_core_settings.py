"""Settings: defaults, a file, overrides; every mistake is named, and the nearest name proposed."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from flawsmith.core.errors import SettingsError
from flawsmith.core.settings import Settings, given_paths, nested_model, path_fields, resolve, to_yaml, validated


class Net(Settings):
    widths: tuple[int, ...] = (8, 16)
    dropout: float = Field(0.0, ge=0, le=1)


class Model(Settings):
    steps: int = Field(100, ge=1)
    name: str = "a"
    net: Net = Net()
    maybe: Net | None = None
    shares: dict[str, float] = {"warped": 1.0}
    flag: bool = False


def test_defaults_then_file_then_overrides(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("steps: 5\nnet:\n  dropout: 0.25\n")
    assert resolve(Model) == Model()
    assert resolve(Model, file) == Model(steps=5, net=Net(dropout=0.25))
    told = resolve(Model, file, ["net.widths=[4]", "steps=7", "net.dropout=0.5", "name=ü"])
    assert told == Model(steps=7, name="ü", net=Net(widths=(4,), dropout=0.5))


@pytest.mark.parametrize("pair", ["net.dropout=0.5", "--net.dropout=0.5", "net.dropout = 0.5"])
def test_keys_may_be_spelt_like_options(pair):
    assert resolve(Model, overrides=[pair]).net.dropout == 0.5


def test_an_optional_part_can_be_given_by_its_fields_and_open_tables_take_any_name():
    assert resolve(Model, overrides=["maybe.dropout=1"]).maybe == Net(dropout=1)
    assert resolve(Model, overrides=["shares={crack: 2, own: 1}"]).shares == {"crack": 2, "own": 1}
    assert resolve(Model, overrides=["maybe=null"]).maybe is None


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("step=3", "unknown setting 'step'; did you mean 'steps'?"),
        ("nett.dropout=1", "unknown setting 'nett'; did you mean 'net'?"),
        ("net.drpout=1", "unknown setting 'net.drpout'; did you mean 'net.dropout'?"),
        ("net.width=[3]", "did you mean 'net.widths'?"),
        ("maybe.widhts=[3]", "did you mean 'maybe.widths'?"),
        ("zzz=1", "unknown setting 'zzz'; known: steps, name"),
        ("steps=many", "setting 'steps'"),
        ("steps=0", "setting 'steps': Input should be greater than or equal to 1, got 0"),
        ("net.dropout=1.5", "setting 'net.dropout'"),
        ("steps", "expected key=value, got 'steps'; write for example steps=1"),
        ("net=3", "setting 'net'"),
        ("name=[", "cannot read the value '['"),
    ],
)
def test_mistakes_are_named(pair, message):
    with pytest.raises(SettingsError) as caught:
        resolve(Model, overrides=[pair])
    assert message in str(caught.value)


def test_several_wrong_values_are_all_named():
    with pytest.raises(SettingsError, match=r"'steps'.*; .*'net\.dropout'"):
        validated(Model, {"steps": -1, "net": {"dropout": 9}})


def test_a_value_cannot_have_parts_as_well():
    with pytest.raises(SettingsError, match="'name' already has the value 'b'; it cannot have parts"):
        resolve(Model, overrides=["name=b", "name.x=1"])


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"- a\n- b\n", "holds a list"), (b"steps: [", "cannot read"), (b"\xff\xfe\x00", "cannot read"), (b"3", "a int")],
)
def test_files_that_are_no_settings_are_refused(content, message, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        resolve(Model, file)


def test_a_missing_file_is_named_and_an_empty_one_changes_nothing(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.yaml"):
        resolve(Model, tmp_path / "absent.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert resolve(Model, tmp_path / "empty.yaml") == Model()


def test_yaml_runs_nothing(tmp_path):
    (tmp_path / "bad.yaml").write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(SettingsError, match="cannot read"):
        resolve(Model, tmp_path / "bad.yaml")
    with pytest.raises(SettingsError, match="cannot read"):
        resolve(Model, overrides=["name=!!python/object/apply:os.getcwd []"])


@settings(max_examples=30)
@example(steps=1, name="\x85", dropout=0.0)
@example(steps=1, name="a\u2028b", dropout=0.0)
@given(steps=st.integers(1, 10**6), name=st.text(max_size=12), dropout=st.floats(0, 1))
def test_resolved_settings_are_read_back_equal(steps, name, dropout, tmp_path_factory):
    # YAML has no carriage returns of its own inside plain lines, but a dumped text must come back as it was.
    before = Model(steps=steps, name=name, net=Net(dropout=dropout))
    file = tmp_path_factory.mktemp("yaml") / "run.yaml"
    file.write_bytes(to_yaml(before).encode())
    assert resolve(Model, file) == before


def test_settings_are_frozen_and_closed():
    with pytest.raises(ValidationError):
        Model().steps = 3
    with pytest.raises(ValidationError):
        Model(step=3)


def test_the_model_inside_an_annotation_is_found():
    assert nested_model(Net) is Net
    assert nested_model(Net | None) is Net
    assert nested_model(int) is None
    assert nested_model(dict[str, float]) is None


class Files(Settings):
    one: Path | None = None
    count: int = 1


class Given(Settings):
    start: Path | None = None
    name: str = "x"
    files: Files = Files()


def test_paths_are_found_wherever_they_stand():
    assert path_fields(Given) == {"start": True, "files": {"one": True}}
    assert given_paths(Given()) == {}
    chosen = Given(start=Path("a"), files={"one": Path("b/c")})
    assert given_paths(chosen) == {"start": Path("a"), "files.one": Path("b/c")}
    assert chosen.model_dump(mode="json", exclude=path_fields(Given)) == {"name": "x", "files": {"count": 1}}
