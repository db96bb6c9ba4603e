"""The catalogue of instance types."""

from stacks.knowledge.catalogue import (
    families_with_a_fraction_of_a_gpu,
    families_without_nvidia_gpus,
    gpu_instance_types,
    gpus_by_type,
)


def test_the_catalogue_has_the_types_that_a_gpu_pool_can_use() -> None:
    assert {"p5.48xlarge": 8, "p5.4xlarge": 1, "g6e.12xlarge": 4}.items() <= gpus_by_type().items()
    usable = [row for row in gpu_instance_types() if row.instance_type in gpus_by_type()]
    # The GPU node class makes a RAID of the NVMe disks: a type without any would keep its images on a root disk of 20 GiB.
    assert all(row.nvme_gb > 0 for row in usable)


def test_no_family_with_nvidia_gpus_is_among_those_without() -> None:
    without = set(families_without_nvidia_gpus())
    assert {"g4ad", "m5", "c7i", "inf2", "trn1"} <= without
    assert without.isdisjoint(row.family for row in gpu_instance_types() if row.manufacturer == "nvidia")
    # Old ones, which the catalogue does not have.
    assert without.isdisjoint({"g2", "g3", "g3s", "p2", "p3"})
    assert families_with_a_fraction_of_a_gpu() == ["g6f", "gr6f"]
