"""A setting of an earlier version stops a synthesis."""

from pathlib import Path

import pytest

from stacks.app import write
from stacks.config import ClusterConfig
from stacks.config.checks import ConfigurationError
from stacks.config.replaced_settings import refuse_replaced_settings


def test_a_setting_of_an_earlier_version_in_cdktf_json_stops_a_synthesis(tmp_path: Path) -> None:
    (tmp_path / "cdktf.json").write_text('{"context": {"backend": "s3"}}')
    with pytest.raises(ConfigurationError, match='"backend" must not be in the context'):
        write([ClusterConfig("a")], tmp_path / "cdktf.out", tmp_path)


def test_a_setting_of_an_earlier_version_in_the_environment_stops_a_synthesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDKTF_KARPENTER_PRESET", "recommended")
    with pytest.raises(ConfigurationError, match="CDKTF_KARPENTER_PRESET must not be set"):
        write([ClusterConfig("a")], tmp_path / "cdktf.out", tmp_path)


@pytest.mark.parametrize(
    ("setting", "instead"),
    [
        ("stack", "use ClusterConfig(name) in main.py."),
        ("preset", "use recommended(name) instead of ClusterConfig(name) in main.py."),
        ("offering_checks", "use the field offering_checks in main.py."),
        ("spot_role_check", "use the field spot_role_check in main.py."),
        ("backend", "use the field backend: LocalBackend() or S3Backend(...) in main.py."),
        ("local_path", "use the field backend: LocalBackend(path) in main.py."),
        ("s3_bucket", "use the field backend: S3Backend(bucket=...) in main.py."),
        ("s3_key", "use the field backend: S3Backend(key=...) in main.py."),
        ("s3_region", "use the field backend: S3Backend(region=...) in main.py."),
        ("s3_use_lockfile", "use the field backend: S3Backend(use_lockfile=...) in main.py."),
        ("s3_kms_key_id", "use the field backend: S3Backend(kms_key_id=...) in main.py."),
        ("s3_profile", "use the field backend: S3Backend(profile=...) in main.py."),
    ],
)
def test_a_setting_of_an_earlier_version_is_refused_with_what_replaces_it(setting: str, instead: str) -> None:
    variable = f"CDKTF_KARPENTER_{setting.upper()}"
    with pytest.raises(ConfigurationError) as refused:
        refuse_replaced_settings({variable: "x"}, {})
    assert str(refused.value) == f"{variable} must not be set: settings are Python now. Unset it, and {instead}"
    with pytest.raises(ConfigurationError) as refused:
        refuse_replaced_settings({}, {setting: "x"})
    assert str(refused.value) == (
        f'"{setting}" must not be in the context of cdktf.json: settings are Python now. Remove it, and {instead}'
    )


def test_all_settings_of_an_earlier_version_are_named_together() -> None:
    environment = {"CDKTF_KARPENTER_BACKEND": "s3", "CDKTF_KARPENTER_FOO": "1", "PATH": "/bin"}
    with pytest.raises(ConfigurationError) as refused:
        refuse_replaced_settings(environment, {"preset": "recommended", "excludeStackIdFromLogicalIds": "true"})
    lines = str(refused.value).splitlines()
    assert [line.split()[0] for line in lines] == ["CDKTF_KARPENTER_BACKEND", "CDKTF_KARPENTER_FOO", '"preset"']


def test_what_the_cdktf_cli_sets_is_accepted() -> None:
    refuse_replaced_settings({"CDKTF_OUTDIR": "x", "CDKTF_CONTEXT_JSON": "{}"}, {"excludeStackIdFromLogicalIds": "true"})
