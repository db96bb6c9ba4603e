"""A setting of an earlier version stops a synthesis."""

from pathlib import Path

import pytest

from stacks.app import write
from stacks.config import ClusterConfig
from stacks.config.checks import ConfigurationError


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
