"""The schema that is published: in step with the models, printed by the command."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from flawsmith.apps.cli.main import app
from flawsmith.core.files import json_text
from flawsmith.proof.schema import SCHEMA_VERSION, Results, Row, results_schema

PUBLISHED = Path(__file__).parents[3] / "docs" / "results.schema.json"


def test_the_published_schema_is_that_of_the_models():
    said = "write it again: flawsmith schema > docs/results.schema.json"
    assert PUBLISHED.read_text(encoding="utf-8") == json_text(results_schema()), said


def test_the_command_prints_it():
    done = CliRunner().invoke(app, ["schema"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == results_schema()


def test_the_schema_demands_every_key_and_knows_no_other():
    schema = results_schema()
    assert schema["required"] == list(Results.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    assert schema["$defs"]["Row"]["additionalProperties"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}


def test_a_row_holds_metrics_and_nothing_else():
    plain = {"arm": "real", "seed": 0, "steps": 9, "converged": None}
    assert Row.model_validate({**plain, "image_ap": 0.5, "pixel_ap": None}).model_dump()["image_ap"] == 0.5
    with pytest.raises(ValidationError, match="image_ap"):
        Row.model_validate({**plain, "image_ap": "high"})
