"""`make destroy STACK=…`: remove a cluster, and leave no machine behind.

`terraform destroy` alone removes Karpenter while its nodes still drain; then nobody terminates them. So the nodes go first, while
Karpenter runs, and Terraform only starts when Kubernetes has no NodeClaim and EC2 no instance of Karpenter's. Whatever fails on the
way there stops the command, which can be run again.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLL_SECONDS = 5
QUIET_SECONDS = 60  # without progress for so long, it says what blocks


class DestroyError(RuntimeError):
    """Why the command stopped, and what to do. Nothing was orphaned."""


@dataclass(frozen=True)
class Stack:
    """A synthesized and initialized stack: where Terraform runs, and with which arguments."""

    folder: Path
    arguments: tuple[str, ...]

    def terraform(self, *arguments: str) -> str:
        """What Terraform prints."""
        return _run("terraform", f"-chdir={self.folder}", *arguments)

    def outputs(self) -> dict[str, str]:
        """The outputs in the state."""
        return {name: str(output["value"]) for name, output in json.loads(self.terraform("output", "-json")).items()}

    def addresses(self) -> list[str]:
        """The resources in the state."""
        return self.terraform("state", "list").split()

    def destroy(self) -> int:
        """Let Terraform remove the rest, on the user's terminal; returns its exit code."""
        process = subprocess.Popen(["terraform", f"-chdir={self.folder}", "destroy", "-auto-approve", *self.arguments])
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # Terraform had it too, and ends in an orderly way
                continue


@dataclass(frozen=True)
class Cluster:
    """The cluster of a stack, by its outputs; `kubeconfig` reaches this cluster and no other."""

    name: str
    region: str
    endpoint: str
    login: tuple[str, ...]
    kubeconfig: Path

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints."""
        return _run("kubectl", *arguments, environment={"KUBECONFIG": str(self.kubeconfig)})

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """The objects of a kind in all namespaces; none where the cluster does not know the kind."""
        try:
            items: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "--all-namespaces", "-o", "json"))["items"]
        except DestroyError as error:
            if "the server doesn't have a resource type" in str(error):
                return []
            raise
        return items

    def instances(self) -> list[str]:
        """The EC2 instances that Karpenter created for this cluster and that are not terminated."""
        profile = ["--profile", self.login[self.login.index("--profile") + 1]] if "--profile" in self.login else []
        filters = (
            f"Name=tag:kubernetes.io/cluster/{self.name},Values=owned",
            "Name=tag-key,Values=karpenter.sh/nodepool",
            "Name=instance-state-name,Values=pending,running,shutting-down,stopping,stopped",
        )
        query = "Reservations[].Instances[].[InstanceId,InstanceType]"
        command = ("aws", "ec2", "describe-instances", "--region", self.region, *profile, "--filters", *filters)
        return [" ".join(instance) for instance in json.loads(_run(*command, "--query", query, "--output", "json"))]


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="make destroy STACK=…", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("stack", nargs="?", default="", help="the name of the stack")
    parser.add_argument("--confirm", default="", help="the name of the cluster, instead of asking for it")
    parser.add_argument("--timeout", type=float, default=20, help="minutes without progress after which it stops (20)")
    options, further = parser.parse_known_args(arguments)
    stack = _stack(Path(), options.stack, further)
    with _cluster(stack) as cluster:
        if "module.eks.aws_eks_cluster.this[0]" in stack.addresses():
            _connect(cluster)
            _refuse_load_balancers(cluster)
            _describe(stack, cluster)
            _confirm(cluster.name, options.confirm)
            _remove_nodes(cluster, options.timeout * 60)
        else:  # an earlier destroy got this far
            _refuse_orphans(cluster)
            print(f"The state of {cluster.name} has no EKS cluster any more.", flush=True)
            _confirm(cluster.name, options.confirm)
    print("No node of Karpenter is left. Terraform removes the rest.", flush=True)
    return stack.destroy()


def _stack(project: Path, name: str, further: list[str]) -> Stack:
    stacks = project / "cdktf.out" / "stacks"
    folder = stacks / name
    if not name or not (folder / "cdk.tf.json").exists():
        there = ", ".join(sorted(path.name for path in stacks.glob("*/"))) or "none; run `make synth`"
        raise DestroyError(f"STACK must be a synthesized stack (got {name!r}). There are: {there}.")
    for program in ("terraform", "kubectl", "aws"):
        if not shutil.which(program):
            raise DestroyError(f"{program} is needed and is not on the PATH.")
    if not (folder / ".terraform").is_dir():
        raise DestroyError(f"Terraform is not initialized. Run: terraform -chdir={folder} init")
    variables = project / "terraform.tfvars"
    given = [f"-var-file={os.path.relpath(variables, folder)}"] if variables.exists() else []
    return Stack(folder, (*given, *further))


@contextmanager
def _cluster(stack: Stack) -> Iterator[Cluster]:
    """The stack's cluster, with a kubeconfig of its own: the user's current context may be another cluster."""
    outputs = stack.outputs()
    missing = {"cluster_name", "cluster_endpoint", "region", "configure_kubectl"} - outputs.keys()
    if missing:
        raise DestroyError(
            f"The state must have the outputs of a deployment (it lacks {', '.join(sorted(missing))}). If nothing was deployed, "
            "there is nothing to destroy; otherwise `terraform apply` writes them."
        )
    with tempfile.TemporaryDirectory() as folder:
        login = tuple(shlex.split(outputs["configure_kubectl"]))
        yield Cluster(outputs["cluster_name"], outputs["region"], outputs["cluster_endpoint"], login, Path(folder, "kubeconfig"))


def _connect(cluster: Cluster) -> None:
    _run(*cluster.login, "--kubeconfig", str(cluster.kubeconfig))
    server = cluster.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").strip()
    if server != cluster.endpoint:
        raise DestroyError(f"kubectl must reach the stack's cluster at {cluster.endpoint} (got {server}).")


def _refuse_orphans(cluster: Cluster) -> None:
    """Without its cluster, nobody removes a node. Terraform would hang on its subnet, and the instance would run on."""
    if instances := cluster.instances():
        raise DestroyError(
            f"Karpenter's instances outlived the cluster: {', '.join(instances)}. Terminate them, and run this command again: "
            f"aws ec2 terminate-instances --region {cluster.region} --instance-ids {' '.join(i.split()[0] for i in instances)}"
        )


def _refuse_load_balancers(cluster: Cluster) -> None:
    services = [item for item in cluster.objects("services") if item["spec"].get("type") == "LoadBalancer"]
    found = [f"service {_name(item)}" for item in services]
    found += [f"ingress {_name(item)}" for item in cluster.objects("ingresses")]
    if found:
        raise DestroyError(
            f"Load balancers belong to {', '.join(found)}. Terraform does not know them, and they block the removal of the "
            "network. Delete these objects first, while the load balancer controller runs."
        )


def _describe(stack: Stack, cluster: Cluster) -> None:
    pools = ", ".join(_name(pool) for pool in cluster.objects("nodepools.karpenter.sh")) or "none"
    print(
        f"Cluster    {cluster.name} in {cluster.region}\n"
        f"API        {cluster.endpoint}\n"
        f"State      workspace {stack.terraform('workspace', 'show').strip()}, {len(stack.addresses())} resources\n"
        f"Node pools {pools}\n"
        f"Instances  {', '.join(cluster.instances()) or 'none'}",
        flush=True,
    )


def _confirm(name: str, given: str) -> None:
    if not given:
        try:
            given = input("This removes all of it and ends every pod. Type the name of the cluster to go on: ").strip()
        except EOFError:
            given = ""
    if given != name:
        raise DestroyError(f"The name of the cluster must be {name} (got {given!r}). Nothing was removed.")


def _remove_nodes(cluster: Cluster, patience: float) -> None:
    """Delete the pools, and wait until none of their nodes is left.

    Raises:
        DestroyError: nothing changed for `patience` seconds.
    """
    if cluster.objects("nodepools.karpenter.sh"):
        # In the foreground: a pool is gone when its NodeClaims are. It has no finalizer of Karpenter's.
        cluster.kubectl("delete", "nodepools.karpenter.sh", "--all", "--cascade=foreground", "--wait=false")
    begun = changed = said = time.monotonic()
    before: tuple[list[str], ...] = ()
    while any(left := _left(cluster)):
        now = time.monotonic()
        if left != before:
            pools, claims, instances = left
            print(
                f"{now - begun:4.0f} s: {len(pools)} node pools, {len(claims)} NodeClaims, {len(instances)} instances left "
                f"{', '.join(instances)}".rstrip(),
                flush=True,
            )
            before, changed = left, now
        if now - changed > patience:
            raise DestroyError(
                f"Nothing changed for {patience / 60:g} minutes. {' '.join(_blockers(cluster))} Terraform was not "
                "started, and Karpenter goes on draining. Run the same command again."
            )
        if now - max(changed, said) > QUIET_SECONDS:
            print(f"{now - begun:4.0f} s: waiting. {' '.join(_blockers(cluster))}", flush=True)
            said = now
        time.sleep(POLL_SECONDS)


def _left(cluster: Cluster) -> tuple[list[str], list[str], list[str]]:
    pools = [_name(pool) for pool in cluster.objects("nodepools.karpenter.sh")]
    claims = cluster.objects("nodeclaims.karpenter.sh")
    if not pools and any("deletionTimestamp" not in claim["metadata"] for claim in claims):
        # NodeClaims without a pool: somebody created them by hand.
        cluster.kubectl("delete", "nodeclaims.karpenter.sh", "--all", "--wait=false")
    return pools, [_name(claim) for claim in claims], cluster.instances()


def _blockers(cluster: Cluster) -> list[str]:
    """What can keep a node from going away, each with what to do."""
    nodes = {
        claim["status"]["nodeName"]
        for claim in cluster.objects("nodeclaims.karpenter.sh")
        if claim.get("status", {}).get("nodeName")
    }
    pods = [pod for pod in cluster.objects("pods") if pod["spec"].get("nodeName") in nodes]
    found = []
    for pod in pods:
        if pod["metadata"].get("annotations", {}).get("karpenter.sh/do-not-disrupt") == "true":
            found.append(f"Pod {_name(pod)} has karpenter.sh/do-not-disrupt: delete the pod or the annotation.")
    for budget in cluster.objects("poddisruptionbudgets"):
        if budget.get("status", {}).get("disruptionsAllowed") == 0 and any(_selects(budget, pod) for pod in pods):
            found.append(f"PodDisruptionBudget {_name(budget)} allows no disruption: delete the budget or its pods.")
    running = [d for d in cluster.objects("deployments") if _name(d) == "kube-system/karpenter"]
    if not any(deployment.get("status", {}).get("availableReplicas") for deployment in running):
        found.append("Karpenter is not running, and only Karpenter removes its nodes: look at deployment kube-system/karpenter.")
    for claim in cluster.objects("nodeclaims.karpenter.sh"):
        finalizers = [name for name in claim["metadata"].get("finalizers", []) if not name.startswith("karpenter.sh/")]
        if finalizers and "deletionTimestamp" in claim["metadata"]:
            found.append(f"NodeClaim {_name(claim)} has the finalizers {', '.join(finalizers)}: ask who set them.")
    return found or ["Pods are still ending; see `kubectl get pods --all-namespaces` and `kubectl get events`."]


def _selects(budget: dict[str, Any], pod: dict[str, Any]) -> bool:
    """Whether a budget's labels are the pod's. Expressions are not judged: then the budget counts."""
    selector = budget["spec"].get("selector") or {}
    labels = pod["metadata"].get("labels", {})
    same = set(selector.get("matchLabels", {}).items()) <= set(labels.items())
    return same and bool(budget["metadata"]["namespace"] == pod["metadata"]["namespace"])


def _name(item: dict[str, Any]) -> str:
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else str(metadata["name"])


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    run = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False)
    if run.returncode:
        raise DestroyError(f"`{' '.join(command[:4])} …` failed: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DestroyError as error:
        sys.exit(f"Stopped. {error}")
    except KeyboardInterrupt:
        print(
            "\nInterrupted before Terraform started. Karpenter may still be removing nodes; run the same command again.",
            file=sys.stderr,
        )
        os._exit(130)
