from flawsmith.core.settings import Settings, resolve, to_yaml


class Inner(Settings):
    steps: int = 10
    rate: float = 0.1


class Outer(Settings):
    inner: Inner = Inner(steps=20, rate=0.5)


def test_a_part_of_a_section_leaves_the_rest_at_the_owners_default():
    assert resolve(Outer, None, ["inner.steps=7"]).inner == Inner(steps=7, rate=0.5)


def test_a_resolved_section_reads_back_equal(tmp_path):
    chosen = Outer(inner=Inner(steps=1))
    (tmp_path / "s.yaml").write_text(to_yaml(chosen))
    assert resolve(Outer, tmp_path / "s.yaml") == chosen
    assert chosen.inner.rate == 0.1
