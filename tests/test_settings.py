import os
import subprocess
import sys

import pytest

from main import PROJECT
from stacks.settings import SettingError, Settings, load


def test_without_any_the_state_is_local() -> None:
    settings = load({}, {})
    assert settings == Settings()
    assert (settings.backend, settings.local_state) == ("local", "../../../terraform.karpenter.tfstate")


def test_the_environment_wins_over_the_context() -> None:
    settings = load({"stack": "from-context"}, {"CDKTF_KARPENTER_STACK": "from-environment"})
    assert settings.stack == "from-environment"
    assert load({"stack": "from-context"}, {}).stack == "from-context"


def test_true_and_false_may_be_given_in_the_environment() -> None:
    s3 = {"backend": "s3", "s3_bucket": "states", "s3_region": "eu-west-1"}
    assert load(s3, {"CDKTF_KARPENTER_S3_USE_LOCKFILE": "false"}).s3_use_lockfile is False
    assert load(s3, {"CDKTF_KARPENTER_S3_USE_LOCKFILE": "TRUE"}).s3_use_lockfile is True


def test_what_cdktf_puts_into_its_context_is_no_setting() -> None:
    assert load({"cdktfVersion": "0.21.0", "excludeStackIdFromLogicalIds": "true"}, {}) == Settings()


@pytest.mark.parametrize(
    ("context", "environment", "message"),
    [
        ({"bakend": "s3"}, {}, "bakend: no such setting. There are: stack, preset, offering_checks, spot_role_check, backend,"),
        ({}, {"CDKTF_KARPENTER_BAKEND": "s3"}, "bakend: no such setting."),
        ({"backend": "gcs"}, {}, "backend: 'gcs' is not allowed. Allowed: 'local', 's3'."),
        ({"stack": 7}, {}, "stack: 7 is not allowed. Allowed: a string."),
        ({"stack": "Karpenter"}, {}, "stack: 'Karpenter' is no name for a stack: lower-case letters"),
        ({"stack": "a/b"}, {}, "stack: 'a/b' is no name"),
        ({"stack": "a" * 64}, {}, "63 characters at most"),
        ({"backend": "s3"}, {}, "s3_bucket: backend s3 needs it, and it is not set."),
        ({"backend": "s3", "s3_bucket": "b"}, {}, "s3_region: backend s3 needs it"),
        ({"s3_bucket": "b"}, {}, "s3_bucket: it is set, but backend is 'local' and would not use it."),
        (
            {"backend": "s3", "s3_bucket": "b", "s3_region": "r", "local_path": "x"},
            {},
            "local_path: it is set, but backend is 's3'",
        ),
        (
            {"backend": "s3", "s3_bucket": "b", "s3_region": "r"},
            {"CDKTF_KARPENTER_S3_USE_LOCKFILE": "maybe"},
            "s3_use_lockfile: 'maybe' is not allowed. Allowed: true or false.",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_in_one_line(
    context: dict[str, object], environment: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingError) as refused:
        load(context, environment)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_main_shows_the_refusal_and_no_traceback() -> None:
    run = subprocess.run(
        [sys.executable, PROJECT / "main.py"],
        env={**os.environ, "CDKTF_KARPENTER_BACKEND": "gcs"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr == "backend: 'gcs' is not allowed. Allowed: 'local', 's3'.\n"
