import itertools
from pathlib import Path

import pytest

from stacks.knowledge import versions
from stacks.knowledge.versions import (
    KARPENTER,
    KARPENTER_RELEASES,
    KUBERNETES,
    LOAD_BALANCER_CONTROLLER,
    LOAD_BALANCER_CONTROLLER_RELEASES,
    bottlerocket_minimum,
    bottlerocket_mistake,
    dry_run_mistake,
    karpenter_mistake,
    karpenter_permissions,
    karpenter_releases,
    load_balancer_controller_actions,
    load_balancer_controller_chart,
    parts,
)
from tests.conftest import SHARED, needs_crds
from tests.crd import Crd

CRDS = sorted((SHARED / "crds").glob("karpenter-*"), key=lambda folder: parts(folder.name.removeprefix("karpenter-")))

RELEASES = [row.last for row in KARPENTER]

# --- Karpenter and Kubernetes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kubernetes", "karpenter"),
    [
        ("1.33", "1.6.0"),  # the HCL's
        ("1.33", "1.14.1"),
        ("1.34", "1.6.6"),
        ("1.34", "1.7.4"),
        ("1.34", "1.8.1"),
        ("1.35", "1.9.0"),
        ("1.36", "1.13.0"),
        ("1.36", "1.14.1"),
        ("1.36", "1.14.9"),  # a patch release that is newer than the table
    ],
)
def test_versions_that_fit_are_accepted(kubernetes: str, karpenter: str) -> None:
    assert karpenter_mistake(kubernetes, karpenter) is None


@pytest.mark.parametrize(
    ("kubernetes", "karpenter", "message"),
    [
        (
            "1.34",
            "1.6.0",
            "karpenter_version must support Kubernetes 1.34 (got 1.6.0, which supports 1.33 at most). Use 1.6.8.",
        ),
        ("1.34", "1.6.5", "supports 1.33 at most). Use 1.6.8."),
        ("1.34", "1.7.3", "supports 1.33 at most). Use 1.7.6."),
        ("1.35", "1.8.8", "supports 1.34 at most). Use 1.9.2."),
        ("1.35", "1.6.8", "supports 1.34 at most). Use 1.9.2."),
        ("1.36", "1.12.2", "supports 1.35 at most). Use 1.13.1."),
        ("1.33", "1.5.9", "karpenter_version must be 1.6.0 to 1.14.1 (got 1.5.9). Use 1.6.5."),
        ("1.36", "1.5.9", "karpenter_version must be 1.6.0 to 1.14.1 (got 1.5.9). Use 1.13.1."),
        ("1.36", "1.15.0", "karpenter_version must be 1.6.0 to 1.14.1 (got 1.15.0). Use 1.14.1."),
        ("1.33", "1.8.4", "karpenter_version must not be 1.8.4: it cannot schedule pods"),
        ("1.33", "1.8.4", "(kubernetes-sigs/karpenter#2785). Use 1.8.8."),
        ("1.35", "1.8.4", "Use 1.9.2."),
        ("1.33", "1.7.0", "karpenter_version must not be 1.7.0: its controller panics unless the chart gets CPU requests"),
        ("1.34", "1.7.0", "(kubernetes-sigs/karpenter#2509). Use 1.7.6."),
        ("1.33", "1.8.0", "must not be 1.8.0: its controller panics with the chart's default values"),
        ("1.34", "1.8.0", "(kubernetes-sigs/karpenter#2566). Use 1.8.8."),
        ("1.33", "v1.9.2", 'karpenter_version must be a release such as 1.14.1 (got "v1.9.2").'),
        ("1.33", "1.9", 'karpenter_version must be a release such as 1.14.1 (got "1.9").'),
        ("1.33", "1.06.0", 'karpenter_version must be a release such as 1.14.1 (got "1.06.0").'),
        ("1.33", "\uff11.6.0", 'karpenter_version must be a release such as 1.14.1 (got "\uff11.6.0").'),
    ],
)
def test_versions_that_do_not_fit_are_refused_with_the_nearest_that_does(kubernetes: str, karpenter: str, message: str) -> None:
    assert message in (karpenter_mistake(kubernetes, karpenter) or "")


def test_what_is_named_as_nearest_is_accepted() -> None:
    tried = [*RELEASES, *(row.first for row in KARPENTER), *KARPENTER_RELEASES.broken, "1.5.0", "1.15.0", "2.0.0"]
    for row, karpenter in itertools.product(KUBERNETES, tried):
        mistake = karpenter_mistake(row.version, karpenter)
        if mistake:
            assert karpenter_mistake(row.version, mistake.rsplit(" ", 1)[1].removesuffix(".")) is None


def test_an_unknown_kubernetes_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"kubernetes_version must be one of 1\.33, 1\.34, 1\.35, 1\.36 \(got '1\.32'\)\."):
        karpenter_mistake("1.32", "1.6.0")


def test_the_table_is_in_order_and_without_gaps() -> None:
    bounds = [parts(version) for row in KARPENTER for version in (row.first, row.last)]
    assert bounds == sorted(set(bounds))
    minors = list(dict.fromkeys(parts(row.first)[1] for row in KARPENTER))
    assert minors == list(range(6, 15))
    assert [parts(row.version)[1] for row in KUBERNETES] == [33, 34, 35, 36]
    assert {row.kubernetes for row in KARPENTER} == {row.version for row in KUBERNETES}


def test_a_release_is_found_in_the_row_that_it_belongs_to() -> None:
    assert [(row := karpenter_releases(v)) and row.first for v in ("1.6.5", "1.6.6", "1.6.9", "1.10.0", "1.15.0", "1.5.0")] == [
        "1.6.0",
        "1.6.6",
        "1.6.6",
        "1.10.0",
        None,
        None,
    ]
    assert [row.first for row in KARPENTER if row.new_class_hash] == ["1.12.0"]


def test_the_newest_release_of_a_minor_version_is_known_and_usable() -> None:
    assert KARPENTER_RELEASES.newest_of("1.6.0") == "1.6.8"
    assert KARPENTER_RELEASES.newest_of("1.5.9") is None
    assert LOAD_BALANCER_CONTROLLER_RELEASES.newest_of("2.13.0") == "2.13.4"
    assert set(KARPENTER_RELEASES.newest) == {"1.6.8", "1.7.6", *(row.last for row in KARPENTER if parts(row.last)[1] > 7)}
    assert KARPENTER_RELEASES.broken.keys().isdisjoint(KARPENTER_RELEASES.newest)
    known = LOAD_BALANCER_CONTROLLER_RELEASES.newest
    assert [parts(one) for one in known] == sorted(parts(one) for one in known)
    for row in LOAD_BALANCER_CONTROLLER:
        assert parts(LOAD_BALANCER_CONTROLLER_RELEASES.newest_of(row.first) or "0") >= parts(row.last) >= parts(row.first)


def test_the_dry_run_can_be_disabled_where_the_chart_has_the_value() -> None:
    assert dry_run_mistake("1.6.0", disable_dry_run=False) is None
    assert dry_run_mistake("1.6.2", disable_dry_run=True) is None
    assert dry_run_mistake("1.6.1", disable_dry_run=True) == (
        "disable_dry_run must be False before Karpenter 1.6.2 (got True, karpenter_version 1.6.1). Use karpenter_version 1.6.8."
    )


def test_ec2_instance_status_is_read_from_1_12_on() -> None:
    assert karpenter_permissions("1.11.3") == []
    assert [permission.action for permission in karpenter_permissions("1.12.0")] == ["ec2:DescribeInstanceStatus"]
    assert karpenter_permissions("1.14.1") == karpenter_permissions("1.12.0")


def karpenter_crds(karpenter: str) -> list[str]:
    """The custom resource definitions that a release needs."""
    return [name for row in versions.KARPENTER if parts(row.first) <= parts(karpenter) for name in row.crds]


@needs_crds
@pytest.mark.parametrize("folder", CRDS, ids=lambda folder: folder.name)
def test_karpenters_crds_are_among_those_of_the_table(folder: Path) -> None:
    release = folder.name.removeprefix("karpenter-")
    assert karpenter_mistake("1.33", release) is None
    found = {Crd(file).name for file in folder.glob("*.yaml")}
    assert found <= set(karpenter_crds(release))


def test_crds_come_with_the_release_that_brings_them() -> None:
    assert len(karpenter_crds("1.6.8")) == 3
    assert set(karpenter_crds("1.7.0")) - set(karpenter_crds("1.6.8")) == {"nodeoverlays.karpenter.sh"}
    assert set(karpenter_crds("1.14.0")) - set(karpenter_crds("1.13.1")) == {"capacitybuffers.autoscaling.x-k8s.io"}
    assert versions.KARPENTER_WITH_CRDS_APART == "1.7.0"


# --- Bottlerocket --------------------------------------------------------------------------------------------------------------

GENERAL = {"soci": True, "nvme": False, "mounts_disks_itself": False}
GPU = {"soci": True, "nvme": True, "mounts_disks_itself": True}
GPU_FROM_1_8 = {"soci": True, "nvme": True, "mounts_disks_itself": False}


@pytest.mark.parametrize(
    ("kubernetes", "use", "minimum"),
    [
        ("1.33", GENERAL, "1.44.0"),
        ("1.33", GPU, "1.50.0"),
        ("1.33", GPU_FROM_1_8, "1.46.0"),
        ("1.34", GENERAL, "1.47.0"),
        ("1.34", GPU_FROM_1_8, "1.47.0"),
        ("1.34", GPU, "1.50.0"),
        ("1.35", GPU, "1.53.0"),
        ("1.36", GENERAL, "1.61.0"),
        ("1.33", {"soci": False, "nvme": True, "mounts_disks_itself": False}, "1.39.0"),
        ("1.33", {**GPU, "mps": True}, "1.55.0"),
        ("1.36", {**GPU, "mps": True}, "1.61.0"),
    ],
)
def test_the_oldest_bottlerocket_is_what_the_user_data_and_kubernetes_need(
    kubernetes: str, use: dict[str, bool], minimum: str
) -> None:
    assert bottlerocket_minimum(kubernetes, **use)[0] == minimum
    assert bottlerocket_mistake(f"v{minimum}", kubernetes=kubernetes, **use) is None
    assert bottlerocket_mistake("latest", kubernetes=kubernetes, **use) is None
    older = f"v1.{parts(minimum)[1] - 1}.9"
    assert f'must be at least "v{minimum}"' in (bottlerocket_mistake(older, kubernetes=kubernetes, **use) or "")


@pytest.mark.parametrize("version", ["1.50.0", "v1.50", "newest", "", "v1.50.0-4fc45e5a", "v1.050.0", "v1.5\uff10.0"])
def test_a_bottlerocket_of_another_shape_is_refused(version: str) -> None:
    message = bottlerocket_mistake(version, kubernetes="1.33", **GPU)
    assert message == f'bottlerocket_version must be "latest" or a release such as "v1.50.0" (got "{version}").'


def test_the_reason_for_the_oldest_bottlerocket_is_named() -> None:
    assert bottlerocket_mistake("v1.49.0", kubernetes="1.33", **GPU) == (
        'bottlerocket_version must be at least "v1.50.0" for user data that mounts the NVMe disks after Karpenter did '
        '(got "v1.49.0").'
    )


# --- AWS Load Balancer Controller ----------------------------------------------------------------------------------------------


def test_what_the_hcls_policy_lacks_belongs_to_every_release() -> None:
    assert set(load_balancer_controller_actions("2.11.0")) == {
        "ec2:GetSecurityGroupsForVpc",
        "elasticloadbalancing:DescribeCapacityReservation",
        "elasticloadbalancing:ModifyCapacityReservation",
    }
    assert len(load_balancer_controller_actions("2.12.0")) == 6
    assert load_balancer_controller_actions("2.13.0") == load_balancer_controller_actions("3.5.0")
    assert len(load_balancer_controller_actions("3.5.0")) == 7


@pytest.mark.parametrize(("release", "chart"), [("2.11.0", "1.11.0"), ("2.17.1", "1.17.1"), ("3.0.0", "3.0.0"), ("3.5.1", "3.5.1")])
def test_a_release_has_its_chart(release: str, chart: str) -> None:
    assert LOAD_BALANCER_CONTROLLER_RELEASES.mistake(release) is None
    assert load_balancer_controller_chart(release) == chart


@pytest.mark.parametrize(
    ("release", "message"),
    [
        ("1.11.0", "load_balancer_controller_version must be 2.11.0 to 3.5.0 (got 1.11.0). Use 2.11.0."),
        ("2.10.1", "load_balancer_controller_version must be 2.11.0 to 3.5.0 (got 2.10.1). Use 2.11.0."),
        (
            "2.18.0",
            "load_balancer_controller_version must be of a minor version that the program knows (got 2.18.0). Use 2.17.1 or 3.0.0.",
        ),
        (
            "3.2.3",
            "load_balancer_controller_version must not be 3.2.3, which the program does not know: the newest known release of its "
            "minor version is 3.2.2, and it crashes where the Gateway API's definitions are older than 1.5, or those of "
            "gateway.k8s.aws are missing (kubernetes-sigs/aws-load-balancer-controller#4684 and #4712). Use 3.3.0.",
        ),
        ("3.6.0", "load_balancer_controller_version must be 2.11.0 to 3.5.0 (got 3.6.0). Use 3.5.0."),
        ("v3.5.0", 'load_balancer_controller_version must be a release such as 3.5.0 (got "v3.5.0").'),
        ("3.5", 'load_balancer_controller_version must be a release such as 3.5.0 (got "3.5").'),
        ("3.05.0", 'load_balancer_controller_version must be a release such as 3.5.0 (got "3.05.0").'),
        ("latest", 'load_balancer_controller_version must be a release such as 3.5.0 (got "latest").'),
        *(
            (
                broken,
                f"load_balancer_controller_version must not be {broken}: it crashes where the Gateway API's definitions are older "
                "than 1.5, or those of gateway.k8s.aws are missing (kubernetes-sigs/aws-load-balancer-controller#4684 and #4712). "
                "Use 3.3.0.",
            )
            for broken in ("3.2.0", "3.2.1", "3.2.2")
        ),
    ],
)
def test_other_releases_are_refused_with_the_nearest_that_fits(release: str, message: str) -> None:
    assert LOAD_BALANCER_CONTROLLER_RELEASES.mistake(release) == message
