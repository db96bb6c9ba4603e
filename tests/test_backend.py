import re
from pathlib import Path

from stacks.config import ClusterConfig, S3Backend
from tests.synthesis import Json, synth_stack


def test_nothing_written_holds_a_path_of_this_machine(stack_file: Path) -> None:
    absolute = re.compile(rf"(?<![\w:/.*-])/(?:{'|'.join(p.name for p in Path('/').iterdir())})/")
    written = stack_file.read_text()
    assert [path for path in absolute.findall(written) if path != "/var/"] == []
    assert str(Path.home()) not in written


def test_local_state_is_in_the_project_and_survives_cdktf_out(stack: Json) -> None:
    assert stack["terraform"]["backend"]["local"] == {
        "path": "../../../terraform.karpenter.tfstate",
        "workspace_dir": "../../../terraform.karpenter.tfstate.d",
    }


def test_state_may_be_in_s3() -> None:
    backend = S3Backend(bucket="states", region="eu-west-1", profile="team", kms_key_id="arn:aws:kms:eu-west-1:1:key/a")
    document = synth_stack(ClusterConfig("karpenter", backend=backend))
    assert document["terraform"]["backend"]["s3"] == {
        "bucket": "states",
        "key": "karpenter/terraform.tfstate",
        "region": "eu-west-1",
        "profile": "team",
        "encrypt": True,
        "kms_key_id": "arn:aws:kms:eu-west-1:1:key/a",
        "use_lockfile": True,
    }


def test_an_older_terraform_can_do_without_a_lock_file() -> None:
    backend = S3Backend(bucket="states", region="eu-west-1", use_lockfile=False)
    assert "use_lockfile" not in synth_stack(ClusterConfig("karpenter", backend=backend))["terraform"]["backend"]["s3"]
