"""PyPI jsonschema: docs/poseur.schema.json is a schema, the examples fit it, and what `poseur check` refuses by its form does not."""

import copy
import json
import subprocess

import jsonschema
import yaml

from stage import POSEUR, ROOT


def main():
    schema = json.loads((ROOT / "docs/poseur.schema.json").read_text())
    validator = jsonschema.Draft202012Validator
    assert schema["$schema"] == validator.META_SCHEMA["$id"], schema["$schema"]
    validator.check_schema(schema)
    judge = validator(schema)
    examples = sorted((ROOT / "examples").glob("**/poseur*.yaml"))
    assert len(examples) >= 5
    for example in examples:
        judge.validate(yaml.safe_load(example.read_text()))
    fluentd = yaml.safe_load((ROOT / "examples/fluentd/poseur.yaml").read_text())
    wrong = [
        lambda pipeline: pipeline.pop("sink"),
        lambda pipeline: pipeline.update(sauce=1),
        lambda pipeline: pipeline["source"].update(type="forwards"),
        lambda pipeline: pipeline["source"].update(lisen=1),
        lambda pipeline: pipeline["source"].pop("listen"),
        lambda pipeline: pipeline["sink"].update(connect=[]),
        lambda pipeline: pipeline["sink"].update(shared_key="in the open"),
        lambda pipeline: pipeline.update(room=64),
        lambda pipeline: pipeline.update(style="loud"),
    ]
    for spoil in wrong:
        config = copy.deepcopy(fluentd)
        spoil(config["pipelines"]["teams"])
        assert not judge.is_valid(config), f"the schema takes {config}"
        done = subprocess.run([POSEUR, "check", "-c", "/dev/stdin"], input=json.dumps(config).encode(), capture_output=True)
        assert done.returncode == 78, f"poseur check ended with {done.returncode}: {config}"
    print(f"jsonschema: {len(examples)} examples fit the published schema, {len(wrong)} spoilt ones do not")


main()
