from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from flawsmith.core.errors import DataError
from flawsmith.nets.foreign import read_tensors


class Trap:
    """What a hostile file does when a careless reader opens it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_both_formats_give_the_tensors(tmp_path):
    tensors = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.ones(1)}
    save_file(tensors, tmp_path / "a.safetensors")
    torch.save(tensors, tmp_path / "a.pth")
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{name}": each for name, each in tensors.items()}}, tmp_path / "b.pt"
    )
    for path in (tmp_path / "a.safetensors", tmp_path / "a.pth", tmp_path / "b.pt"):
        found = read_tensors(path)
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_a_file_with_code_is_refused_and_not_run(tmp_path):
    torch.save({"weight": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(DataError, match="code, which is never run"):
        read_tensors(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("a.safetensors", b"nonsense", "not a safetensors file"), ("a.pth", b"nonsense", "cannot be read")],
)
def test_damaged_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_tensors(tmp_path / name)


def test_other_contents_and_missing_files_are_refused(tmp_path):
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    with pytest.raises(DataError, match="named tensors"):
        read_tensors(tmp_path / "list.pth")
    with pytest.raises(DataError, match="no weights at"):
        read_tensors(tmp_path / "none.pth")
