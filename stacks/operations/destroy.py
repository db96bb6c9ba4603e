"""`make destroy STACK=…`: remove a cluster without leaving EC2 instances behind.

`terraform destroy` alone removes Karpenter while its nodes still drain, and then nothing terminates them. This command deletes the
node pools first, while Karpenter runs, and starts Terraform when no NodeClaim and no instance of Karpenter is left. At any error it
stops, and you can run it again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STACKS = Path("cdktf.out", "stacks")
# What Karpenter manages, in the order of deletion. Deleting an EC2NodeClass removes its instance profile and launch templates.
KINDS = ("nodepools.karpenter.sh", "nodeclaims.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws")
KARPENTER = "kube-system/karpenter"
OWN_FINALIZERS = ("karpenter.sh/", "karpenter.k8s.aws/", "foregroundDeletion")
POLL_SECONDS = 5
QUIET_SECONDS = 60  # after so long without progress, the command says what blocks

Object = dict[str, Any]


class DestroyError(RuntimeError):
    """Why the command stopped before `terraform destroy`, and what to do."""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="make destroy STACK=…", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("stack", nargs="?", default="", help="the name of the stack")
    parser.add_argument("--confirm", default="", help="the name of the cluster, instead of asking for it")
    parser.add_argument("--timeout", type=float, default=20, help="stop after so many minutes without progress (default: 20)")
    options, for_terraform = parser.parse_known_args(arguments)
    stack = _stack(options.stack)
    with tempfile.TemporaryDirectory() as folder:
        cluster = _cluster(stack, Path(folder, "kubeconfig"))
        if cluster.endpoint:
            _connect(cluster)
            _refuse_load_balancers(cluster)
        print(
            f"Cluster    {cluster.name} in {cluster.region}\n"
            f"API        {cluster.endpoint or 'already removed'}\n"
            f"Workspace  {stack.workspace()}\n"
            f"Instances  {', '.join(cluster.instances()) or 'none'} (of Karpenter)",
            flush=True,
        )
        _confirm(cluster.name, options.confirm)
        if cluster.endpoint:
            _remove_nodes(cluster, options.timeout * 60)
        _refuse_orphans(cluster)
    print("Karpenter has no instance left. Terraform removes the rest.", flush=True)
    return stack.destroy(for_terraform)


@dataclass(frozen=True)
class Stack:
    """A synthesized and initialized stack, and the project's variable files."""

    folder: Path

    def terraform(self, *arguments: str) -> str:
        """What Terraform prints."""
        return _run("terraform", f"-chdir={self.folder}", *arguments, "-no-color")

    def workspace(self) -> str:
        """The selected Terraform workspace."""
        return self.terraform("workspace", "show").strip()

    def resources(self) -> dict[str, Object]:
        """The attributes of what is in the state, by module and type. The outputs would not do: they go first in a destroy."""
        resources = json.loads(self.terraform("state", "pull") or "{}").get("resources", [])
        return {f"{r.get('module')}.{r['type']}": r["instances"][0]["attributes"] for r in resources if r["instances"]}

    def profile(self) -> list[str]:
        """The AWS CLI's arguments for the profile of the stack's AWS provider."""
        providers = json.loads((self.folder / "cdk.tf.json").read_text())["provider"]["aws"]
        provider = next(provider for provider in providers if "alias" not in provider)
        return ["--profile", provider["profile"]] if "profile" in provider else []

    def destroy(self, further: list[str]) -> int:
        """Run `terraform destroy` on the user's terminal; returns its exit code."""
        # The files that the cdktf CLI reads by itself, in its order. Terraform reads only those in the stack's folder.
        names = ("terraform.tfvars", "terraform.tfvars.json", "*.auto.tfvars", "*.auto.tfvars.json")
        files = [os.path.relpath(path, self.folder) for name in names for path in sorted(Path().glob(name))]
        variables = [f"-var-file={file}" for file in files]
        process = subprocess.Popen(["terraform", f"-chdir={self.folder}", "destroy", "-auto-approve", *variables, *further])
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # Terraform got the Ctrl-C too, and ends in an orderly way
                continue


@dataclass(frozen=True)
class Cluster:
    """The stack's cluster. `kubeconfig` is its own file, because the user's current context may be another cluster."""

    name: str
    region: str
    profile: list[str]
    endpoint: str  # empty if the cluster is already removed
    kubeconfig: Path

    def aws(self, *arguments: str) -> str:
        """What the AWS CLI prints."""
        return _run("aws", *arguments, "--region", self.region, *self.profile)

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints."""
        return _run("kubectl", *arguments, environment={"KUBECONFIG": str(self.kubeconfig)})

    def objects(self, kind: str) -> list[Object]:
        """The objects of a kind in all namespaces; none if the cluster does not know the kind."""
        try:
            items: list[Object] = json.loads(self.kubectl("get", kind, "--all-namespaces", "-o", "json"))["items"]
        except DestroyError as error:
            if "the server doesn't have a resource type" in str(error):
                return []
            raise
        return items

    def instances(self) -> list[str]:
        """The EC2 instances that Karpenter launched for this cluster and that are not terminated."""
        filters = (
            f"Name=tag:kubernetes.io/cluster/{self.name},Values=owned",
            "Name=tag-key,Values=karpenter.sh/nodepool",
            "Name=instance-state-name,Values=pending,running,shutting-down,stopping,stopped",
        )
        query = ("--query", "Reservations[].Instances[].[InstanceId,InstanceType]", "--output", "json")
        return [" ".join(instance) for instance in json.loads(self.aws("ec2", "describe-instances", "--filters", *filters, *query))]


def _stack(name: str) -> Stack:
    folder = STACKS / name
    if not (folder / "cdk.tf.json").exists():
        there = ", ".join(sorted(path.name for path in STACKS.glob("*/"))) or "none; run `make synth`"
        raise DestroyError(f'STACK must be a synthesized stack (got "{name}"). There are: {there}.')
    for program in ("terraform", "kubectl", "aws"):
        if not shutil.which(program):
            raise DestroyError(f"{program} must be on the PATH. Install it, and run this command again.")
    if not (folder / ".terraform").is_dir():
        raise DestroyError(f"Terraform must be initialized. Run: terraform -chdir={folder} init")
    return Stack(folder)


def _cluster(stack: Stack, kubeconfig: Path) -> Cluster:
    """The cluster in the state. A destroy removes the VPC last, so the VPC tells the name and the region to the end."""
    resources = stack.resources()
    vpc = resources.get("module.vpc.aws_vpc")
    if not vpc:
        raise DestroyError(
            f"Workspace {stack.workspace()} has no VPC in its state, and so no node. To remove what else it may have, run "
            f"`terraform destroy` in {stack.folder}."
        )
    endpoint = resources.get("module.eks.aws_eks_cluster", {}).get("endpoint", "")
    return Cluster(vpc["tags"]["Name"], vpc["arn"].split(":")[3], stack.profile(), endpoint, kubeconfig)


def _connect(cluster: Cluster) -> None:
    """Write the kubeconfig, and check that it leads to the cluster in the state: another account may have one of the same name."""
    cluster.aws("eks", "update-kubeconfig", "--name", cluster.name, "--kubeconfig", str(cluster.kubeconfig))
    server = cluster.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").strip()
    if server != cluster.endpoint:
        raise DestroyError(
            f"The cluster {cluster.name} that the AWS CLI finds must be the one in the state, {cluster.endpoint} (got {server}). "
            "Check the AWS profile and the account."
        )


def _refuse_load_balancers(cluster: Cluster) -> None:
    found = [f"Service {_name(item)}" for item in cluster.objects("services") if item["spec"].get("type") == "LoadBalancer"]
    found += [f"Ingress {_name(item)}" for item in cluster.objects("ingresses")]
    if found:
        raise DestroyError(
            f"These objects may have load balancers, which Terraform does not know and which block the removal of the network: "
            f"{', '.join(found)}. Delete the objects first, while the load balancer controller runs. Nothing was removed."
        )


def _confirm(name: str, given: str) -> None:
    if not given:
        try:
            given = input("This removes the cluster and ends every pod in it. Type the name of the cluster to continue: ").strip()
        except EOFError:
            print()
    if given != name:
        raise DestroyError(f'The name of the cluster must be {name} (got "{given}"). Nothing was removed.')


def _refuse_orphans(cluster: Cluster) -> None:
    """Once the cluster is gone nothing else terminates its instances, and Terraform would wait for their subnets."""
    if instances := cluster.instances():
        raise DestroyError(
            f"Instances of Karpenter outlived the cluster: {', '.join(instances)}. Terminate them, and run this command again: "
            f"aws ec2 terminate-instances --region {cluster.region} --instance-ids {' '.join(i.split()[0] for i in instances)}"
        )


def _remove_nodes(cluster: Cluster, patience: float) -> None:
    """Delete what Karpenter manages, and wait until it is gone.

    Raises:
        DestroyError: nothing changed for `patience` seconds.
    """
    for kind in KINDS:
        if cluster.objects(kind):
            # In the foreground, a NodePool stays until its NodeClaims are gone; Karpenter gives it no finalizer.
            cluster.kubectl("delete", kind, "--all", "--cascade=foreground", "--wait=false")
    begun = changed = said = time.monotonic()
    before: list[list[str]] = []
    while any(left := [[_name(item) for item in cluster.objects(kind)] for kind in KINDS] + [cluster.instances()]):
        now = time.monotonic()
        if left != before:
            pools, claims, classes, instances = left
            print(
                f"{now - begun:4.0f} s: NodePools {len(pools)}, NodeClaims {len(claims)}, EC2NodeClasses {len(classes)}, "
                f"instances {', '.join(instances) or 0}",
                flush=True,
            )
            before, changed, said = left, now, now
        if now - changed >= patience:
            raise DestroyError(
                f"Nothing changed for {patience / 60:g} minutes. {_blockers(cluster)}\nTerraform was not started. Remove what "
                "blocks, and run this command again."
            )
        if now - said >= QUIET_SECONDS:
            print(f"{now - begun:4.0f} s: {_blockers(cluster)}", flush=True)
            said = now
        time.sleep(POLL_SECONDS)


def _blockers(cluster: Cluster) -> str:
    """What may keep a node from being removed, and what to do about it."""
    found = []
    if not any(item["status"].get("availableReplicas") for item in cluster.objects("deployments") if _name(item) == KARPENTER):
        found.append(
            f"Karpenter is not running, and nothing else removes its nodes: look at the deployment {KARPENTER}. "
            "If the deployment is gone, `terraform apply` brings it back."
        )
    nodes = {claim.get("status", {}).get("nodeName") for claim in cluster.objects("nodeclaims.karpenter.sh")} - {None}
    pods = [pod for pod in cluster.objects("pods") if pod["spec"].get("nodeName") in nodes]
    for pod in pods:
        if pod["metadata"].get("annotations", {}).get("karpenter.sh/do-not-disrupt") == "true":
            found.append(f"Pod {_name(pod)} has the annotation karpenter.sh/do-not-disrupt: delete the pod or the annotation.")
    for budget in cluster.objects("poddisruptionbudgets"):
        if budget["status"].get("disruptionsAllowed") == 0 and any(_selects(budget, pod) for pod in pods):
            found.append(f"PodDisruptionBudget {_name(budget)} allows no disruption: delete the budget or its pods.")
    for item in (item for kind in (*KINDS, "nodes") for item in cluster.objects(kind)):
        foreign = [name for name in item["metadata"].get("finalizers", []) if not name.startswith(OWN_FINALIZERS)]
        if foreign and "deletionTimestamp" in item["metadata"]:
            found.append(f"{item['kind']} {_name(item)} has the finalizer {', '.join(foreign)}: find out what should remove it.")
    unknown = f"Nothing that this command knows: look at `kubectl get events --all-namespaces` and at the log of {KARPENTER}."
    return "\n  ".join(["What may block:", *(found or [unknown])])


def _selects(budget: Object, pod: Object) -> bool:
    """Whether a budget may apply to a pod. Expressions are not evaluated, so a budget that has some counts."""
    labels = budget["spec"].get("selector", {}).get("matchLabels", {})
    same_namespace = budget["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return same_namespace and bool(labels.items() <= pod["metadata"].get("labels", {}).items())


def _name(item: Object) -> str:
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else str(metadata["name"])


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    run = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False)
    if run.returncode:
        raise DestroyError(f"`{' '.join(command[:4])} …` failed: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout


def run(arguments: list[str]) -> int:
    """Run `main`; an error and Ctrl-C end with a sentence. Returns the exit code."""
    try:
        return main(arguments)
    except DestroyError as error:
        print(f"Stopped. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Terraform was not started. Karpenter may still remove nodes; run this command again.", file=sys.stderr
        )
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
