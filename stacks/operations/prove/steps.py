"""The steps of a proof, as a table: what each does, and the evidence that it leaves."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from stacks.operations.checks import QUESTIONS, REMOVAL, examine
from stacks.operations.checks.facts import at, conditions, listed, short, text, whole
from stacks.operations.checks.question import Verdict, counted
from stacks.operations.checks.reader import read
from stacks.operations.deployment import DeploymentError, Object
from stacks.operations.prove import pods
from stacks.operations.prove.interruption import interruption
from stacks.operations.prove.step import KUBECTL, Evidence, Proof, Step, StepError, nothing, step

READY_MINUTES, NODE_MINUTES, PULL_MINUTES, POD_MINUTES = 3, 10, 20, 5


# --- Terraform -----------------------------------------------------------------------------------------------------------------


@step("Terraform applies the whole stack", "terraform apply", essential=True)
def apply(proof: Proof) -> Evidence:
    """The plan that was looked at, and nothing else."""
    outcome = proof.terraform("apply", "-input=false", proof.plan)
    slowest = sorted(outcome.resources.items(), key=lambda one: -one[1])[:5]
    found = tuple(f"{address}: {took:.0f} s" for address, took in slowest)
    figures = {"apply_s": outcome.seconds, "resources": float(len(outcome.resources))}
    if outcome.code:
        return Evidence(
            Verdict.FAILED, short(outcome.errors[0] if outcome.errors else f"exit code {outcome.code}", 400), found, figures=figures
        )
    proof.cluster = proof.connect()
    return Evidence(Verdict.PASSED, f"{len(outcome.resources)} resources in {outcome.seconds:.0f} s", found, figures=figures)


@step("A second plan is empty", "terraform plan -detailed-exitcode")
def plan_again(proof: Proof) -> Evidence:
    """What was applied is what was configured."""
    outcome = proof.terraform("plan", "-input=false", "-detailed-exitcode")
    changes = tuple(f"{action} {address}" for address, action in outcome.changes.items())
    if outcome.code == 2:
        return Evidence(Verdict.FAILED, f"{len(changes)} changes", changes, "Please file an issue with these lines.")
    if outcome.code:
        return Evidence(Verdict.FAILED, short(outcome.errors[0] if outcome.errors else f"exit code {outcome.code}", 400))
    return Evidence(Verdict.PASSED, f"exit code 0, in {outcome.seconds:.0f} s")


# --- Checks and pods -----------------------------------------------------------------------------------------------------------


@step("The doctor finds nothing wrong", "make doctor")
def doctor(proof: Proof) -> Evidence:
    """Every check of `make doctor`, when the pools had time to become READY."""
    removal = {one.name for one in REMOVAL}

    def ready() -> bool:
        kinds = ("nodepools.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws")
        items = [one for kind in kinds for one in proof.cluster.objects(kind)]
        return bool(items) and all(map(_ready, items))

    try:
        proof.wait("Pools are READY", ready, READY_MINUTES)
    except StepError:
        proof.say(f"      Pools are not READY after {READY_MINUTES} minutes; the doctor says why.")
    found = [one for one in examine(read(proof.cluster, QUESTIONS).facts) if one.name not in removal]
    by = {verdict: [one for one in found if one.verdict is verdict] for verdict in Verdict}
    lines = tuple(
        f"{one.name}: {one.verdict}, {' '.join([one.figure, *one.found])}"
        for verdict in (Verdict.FAILED, Verdict.CANNOT_BE_TOLD)
        for one in by[verdict]
    )
    said = ", ".join(f"{len(ones)} {verdict}" for verdict, ones in by.items() if ones)
    told = Verdict.PASSED if by[Verdict.PASSED] else Verdict.CANNOT_BE_TOLD
    return Evidence(Verdict.FAILED if by[Verdict.FAILED] else told, said, lines)


def _ready(item: Object) -> bool:
    found = conditions(item).get("Ready")
    return found is not None and found.status == "True"


@step("A pod runs on the general pool", "kubectl get pod, nodeclaim, events")
def general_pod(proof: Proof) -> Evidence:
    """Karpenter launches a node for a pod that asks for little."""
    pool = proof.general_pool
    if pool is None:
        return nothing("no pool takes a pod without tolerations")
    ran = proof.run(
        pods.pod("general", pods.SMALL_IMAGE, SERVES, container=pods.asks(cpu="100m", memory="64Mi"), **pods.on_pool(pool)),
        until="Running",
        minutes=NODE_MINUTES,
    )
    return _timed(proof, ran)


@step("A GPU pod runs nvidia-smi", "kubectl get pod, nodeclaim, events; kubectl logs")
def gpu_pod(proof: Proof) -> Evidence:
    """From a pending pod to a GPU, and the speed of the image on the way."""
    pool = next((one for one in proof.pools if pods.has_gpu(one)), None)
    if pool is None:
        return nothing("no pool has GPUs")
    ran = proof.run(_smi("gpu", proof.image, pool), until="Succeeded", minutes=NODE_MINUTES + PULL_MINUTES)
    proof.gpu_node = text(ran, "spec", "nodeName")
    printed = proof.log("gpu")
    timed = _timed(proof, ran)
    if printed.count(",") < 2:  # name, driver, memory
        said = f'the log names no GPU (got "{short(printed, 80)}")' if printed else "the log cannot be read"
        return Evidence(Verdict.CANNOT_BE_TOLD, f"{timed.figure}; {said}", timed.found, figures=timed.figures)
    return Evidence(timed.verdict, timed.figure, (short(printed), *timed.found), figures=timed.figures)


def _smi(name: str, image: str, pool: Object) -> Object:
    """A pod that says which GPU it has. NVIDIA's runtime brings the program along where the image asks for it."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    environment = [{"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "compute,utility"}]
    return pods.pod(name, image, command, container={"env": environment, **pods.asks(gpu=1)}, **pods.on_pool(pool))


def _timed(proof: Proof, ran: Object) -> Evidence:
    """How long a pod took to each step of its way, and how fast its image came."""
    node = text(ran, "spec", "nodeName")
    pulled = proof.pulled(ran["metadata"]["name"])
    times = pods.timeline(ran, proof.claim_of(node), pulled)
    figures = {f"{name.replace(' ', '_')}_s": seconds for name, seconds in times.items()}
    found = [
        f"{short(text(ran, 'metadata', 'name'))}: {', '.join(f'{name} after {seconds:.0f} s' for name, seconds in times.items())}"
    ]
    said = f"running after {times['running']:.0f} s" if "running" in times else "runs"
    if pulled is None:
        found.append("The image: no event says how long its pull took; the node may have had it.")
    else:
        seconds, size = pulled.seconds, pulled.size
        figures["pull_s"] = seconds
        if size and seconds:
            figures |= {"image_gb": size / 1e9, "pull_gb_per_s": size / 1e9 / seconds}
            unit, factor = ("GB", 1e9) if size >= 1e9 else ("MB", 1e6)
            said += f"; image {size / factor:.2f} {unit} in {seconds:.1f} s, {size / factor / seconds:.2f} {unit}/s"
        else:
            said += f"; image in {seconds:.1f} s, of a size that the event does not say"
    return Evidence(Verdict.PASSED, said, tuple(found), figures=figures)


# --- The node ------------------------------------------------------------------------------------------------------------------


@step("Images and pods are on the node's NVMe disks", "kubectl get node; aws ec2 describe-instance-types")
def nvme(proof: Proof) -> Evidence:
    """The kubelet counts what the file system of pods and images holds; the volume beside the NVMe disks has 20 GiB."""
    if not proof.gpu_node:
        return nothing("no GPU node ran")
    node = proof.get("node", proof.gpu_node)
    kind = text(node, "metadata", "labels", "node.kubernetes.io/instance-type")
    answer = proof.cluster.aws("ec2", "describe-instance-types", "--instance-types", kind, "--output", "json")
    total = at(next(iter(listed(json.loads(answer), "InstanceTypes")), {}), "InstanceStorageInfo", "TotalSizeInGB")
    if not total:
        return nothing(f"{kind} has no NVMe disk")
    has = _bytes(text(node, "status", "capacity", "ephemeral-storage"))
    if has is None:
        return Evidence(Verdict.CANNOT_BE_TOLD, "the node does not say how much storage it has")
    said = f"{kind}: {has / 1e9:.0f} GB for pods and images, NVMe disks of {total} GB"
    figures = {"ephemeral_storage_gb": has / 1e9, "nvme_gb": float(total)}
    # A file system takes some percent.
    return Evidence(Verdict.PASSED if has >= 0.8e9 * total else Verdict.FAILED, said, figures=figures)


def _bytes(quantity: str) -> float | None:
    """Bytes of a quantity such as 244198Mi; None if it is not one."""
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "": 1}
    number = quantity.rstrip("KMGTik")
    return float(number) * units[quantity[len(number) :]] if number.isdigit() and quantity[len(number) :] in units else None


@step("The node pulls images by SOCI", "kubectl get --raw /api/v1/nodes/…/proxy/configz; aws ec2 describe-instance-attribute")
def soci(proof: Proof) -> Evidence:
    """Without a shell: kubelet's own configuration names the socket of its image service, and EC2 the user data of the boot.

    With `snapshotter = "soci"`, the snapshotter is the kubelet's image service (`enable_keychain` in soci-config-toml of CK), by a
    drop-in of the kubelet's configuration (k8s-snapshotter-conf in soci-snapshotter.spec of CK; CK#576): its socket is
    /run/soci-snapshotter/soci-snapshotter.sock. How many downloads at a time it makes is in no configuration of the kubelet.
    """
    # CK is bottlerocket-os/bottlerocket-core-kit.
    if not proof.gpu_node:
        return nothing("no GPU node ran")
    asked = _user_data(proof)
    if "soci" not in asked:
        return nothing("the node's user data does not ask for SOCI")
    settings = tuple(
        line.strip() for line in asked.splitlines() if any(word in line for word in ("soci", "pull", "unpack", "chunk", "download"))
    )
    try:
        config = json.loads(proof.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{proof.gpu_node}/proxy/configz", *KUBECTL))
        endpoint = text(config, "kubeletconfig", "imageServiceEndpoint")
    except (DeploymentError, ValueError):
        endpoint = ""
    do = "On the node, with the Session Manager plugin: apiclient get settings.container-runtime settings.container-runtime-plugins"
    if "soci" in endpoint:
        return Evidence(
            Verdict.PASSED,
            f"kubelet pulls by {endpoint}; how many downloads at a time cannot be told without a shell",
            settings,
            do,
        )
    return Evidence(
        Verdict.CANNOT_BE_TOLD,
        "the node booted with user data that asks for SOCI; what it made of them needs a shell",
        settings,
        do,
    )


def _user_data(proof: Proof) -> str:
    node = proof.get("node", proof.gpu_node)
    instance = text(node, "spec", "providerID").rpartition("/")[2]
    answer = proof.cluster.aws(
        "ec2", "describe-instance-attribute", "--instance-id", instance, "--attribute", "userData", "--output", "json"
    )
    return base64.b64decode(text(json.loads(answer), "UserData", "Value")).decode(errors="replace")


# --- The network ---------------------------------------------------------------------------------------------------------------

# A small answer on a port that the EKS module's own rules do not open between nodes (they open 1025 to 65535).
PORT = 80
SERVES = ("sh", "-c", f"echo proved > /tmp/index.html && exec httpd -f -p {PORT} -h /tmp")


@step("Pods of two nodes reach each other below port 1025", "kubectl logs")
def connection(proof: Proof) -> Evidence:
    """A pod on another node fetches a page of the pod on the general pool."""
    if not proof.option("node_traffic_all"):
        return nothing("node_traffic_all is off, and the security group of the nodes opens ports from 1025 on")
    pool = proof.general_pool
    if pool is None:
        return nothing("no pool takes a pod without tolerations")
    server = proof.get("pod", "general")
    address = text(server, "status", "podIP")
    if text(server, "status", "phase") != "Running" or not address:
        raise StepError("The pod of the general pool does not run.")
    command = ("wget", "-q", "-T", "20", "-O", "-", f"http://{address}:{PORT}/index.html")
    spec = {**pods.on_pool(pool), **pods.away_from("general")}
    ran = proof.run(
        pods.pod("client", pods.SMALL_IMAGE, command, container=pods.asks(cpu="100m", memory="64Mi"), **spec),
        until="Succeeded",
        minutes=NODE_MINUTES,
    )
    one, other = (text(item, "spec", "nodeName") for item in (server, ran))
    if one == other:
        return Evidence(Verdict.CANNOT_BE_TOLD, "both pods ran on one node")
    said = "proved" in proof.log("client")
    return Evidence(
        Verdict.PASSED if said else Verdict.CANNOT_BE_TOLD,
        f"port {PORT}, from {other} to {one}{'' if said else '; the log cannot be read'}",
    )


# --- What the configuration has ------------------------------------------------------------------------------------------------


@step("An image comes through the cache", "terraform output image_cache_prefixes; kubectl get events")
def cache(proof: Proof) -> Evidence:
    """A public image by way of the account's own registry."""
    if not proof.option("image_cache"):
        return nothing("image_cache is off")
    outcome = json.loads(proof.output("image_cache_prefixes"))
    images = {host: f"{prefix}/{path}" for host, prefix in outcome.items() if (path := CACHED.get(host))}
    if not images:
        return Evidence(Verdict.CANNOT_BE_TOLD, f"the program knows no public image of {', '.join(outcome)}")
    pool = proof.general_pool
    place = pods.on_pool(pool) if pool else {}
    lines: list[str] = []
    figures: dict[str, float] = {}
    for host, image in images.items():
        name = f"cache-{host.replace('.', '-')}"
        proof.run(pods.pod(name, image, IMAGES[host], **place), until="Running", minutes=POD_MINUTES + NODE_MINUTES)
        took = proof.pulled(name)
        lines.append(f"{host}: {f'pulled in {took.seconds:.1f} s' if took else 'no event says how long its pull took'}")
        figures |= {f"pull_{host}_s": took.seconds} if took else {}
    return Evidence(
        Verdict.PASSED, counted(len(images), "registry").replace("registrys", "registries"), tuple(lines), figures=figures
    )


# Small public images, by the host of their registry, and what they run.
CACHED = {
    "public.ecr.aws": "docker/library/busybox:1.37",
    "docker.io": "library/busybox:1.37",
    "quay.io": "prometheus/busybox:latest",
    "registry.k8s.io": "pause:3.10",
    "ghcr.io": "containerd/busybox:1.36",
}
IMAGES: dict[str, Sequence[str]] = {host: (("/pause",) if host == "registry.k8s.io" else ("sleep", "60")) for host in CACHED}


@step("A pod writes to a volume, which is deleted afterwards", "kubectl get pod, persistentvolumeclaim, persistentvolume")
def storage(proof: Proof) -> Evidence:
    """A disk of the driver that the configuration has, made for a claim and gone with it."""
    kinds = {type(one).__name__: one for one in proof.option("storage") or ()}
    if not kinds:
        return nothing("storage is off")
    others = tuple(
        f"{name}: needs a file system or a bucket of yours, and is not tried." for name in kinds if name not in ("Ebs", "Snapshots")
    )
    name = proof.option("storage_class", kinds.get("Ebs", object()))
    pool = proof.general_pool
    if not name or pool is None:
        return Evidence(
            Verdict.CANNOT_BE_TOLD, "no StorageClass of the configuration makes a disk for a pod of the general pool", others
        )
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "disk", "namespace": pods.NAMESPACE, "labels": pods.LABEL},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": name, "resources": {"requests": {"storage": "1Gi"}}},
    }
    proof.start(claim)
    volume = {"volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}]}
    mounts = {"volumeMounts": [{"name": "disk", "mountPath": "/disk"}]}
    command = ("sh", "-c", "echo proved > /disk/file && grep proved /disk/file")
    proof.run(
        pods.pod("disk", pods.SMALL_IMAGE, command, container=mounts, **volume, **pods.on_pool(pool)),
        until="Succeeded",
        minutes=NODE_MINUTES,
    )
    for kind, one in (("pod", "disk"), ("persistentvolumeclaim", "disk")):
        proof.cluster.kubectl("delete", kind, one, f"--namespace={pods.NAMESPACE}", "--wait=true", "--timeout=120s")
    mine = f"{pods.NAMESPACE}/disk"
    proof.wait(
        "The volume is deleted",
        lambda: not [one for one in proof.cluster.objects("persistentvolumes") if _claimed(one) == mine],
        POD_MINUTES,
    )
    return Evidence(Verdict.PASSED, f"StorageClass {name}", others)


def _claimed(volume: Object) -> str:
    return "/".join(text(volume, "spec", "claimRef", part) for part in ("namespace", "name"))


EFA = "vpc.amazonaws.com/efa"


@step("Nodes offer their EFA interfaces", "kubectl get node")
def efa(proof: Proof) -> Evidence:
    """What the device plugin counts on a node of a pool with `efa`."""
    return _of_pools(proof, "efa", lambda node, _: (_amount(node, EFA), 1))


@step("Pods share a GPU as configured", "kubectl get node")
def sharing(proof: Proof) -> Evidence:
    """A node of a pool with `sharing` offers its GPUs as many times as configured."""

    def offered(node: Object, shared: Any) -> tuple[int, int]:
        physical = whole(text(node, "metadata", "labels", "karpenter.k8s.aws/instance-gpu-count")) or 1
        return _amount(node, "nvidia.com/gpu"), physical * int(shared.replicas)

    return _of_pools(proof, "sharing", offered)


def _of_pools(proof: Proof, name: str, look: Callable[[Object, Any], tuple[int, int]]) -> Evidence:
    """For each pool with an option: a node of it, and how many of something it offers, against how many it should."""
    with_option = [one for one in proof.option("gpu_pools") or () if proof.option(name, one)]
    if not with_option:
        return nothing(f"no pool has {name}")
    lines, wrong = [], 0
    for pool in with_option:
        rendered = next(one for one in proof.pools if text(one, "metadata", "name") == pool.name)
        ran = proof.run(_smi(f"{name}-{pool.name}", proof.image, rendered), until="Succeeded", minutes=NODE_MINUTES + PULL_MINUTES)
        has, expected = look(proof.get("node", text(ran, "spec", "nodeName")), getattr(pool, name))
        wrong += has < expected
        lines.append(f"{pool.name}: the node offers {has}, and {expected} or more are expected")
    return Evidence(Verdict.FAILED if wrong else Verdict.PASSED, counted(len(with_option), "pool"), tuple(lines))


def _amount(node: Object, resource: str) -> int:
    found = at(node, "status", "allocatable")
    return whole(found.get(resource, 0)) or 0 if isinstance(found, dict) else 0


# --- All of them -----------------------------------------------------------------------------------------------------------------


# In the order in which they are made. The interruption comes last, because it ends a node.
STEPS: Sequence[Step] = (
    apply,
    plan_again,
    doctor,
    general_pod,
    gpu_pod,
    nvme,
    soci,
    connection,
    cache,
    storage,
    efa,
    sharing,
    interruption,
)
