"""`make destroy STACK=…`: remove a cluster without leaving EC2 instances behind.

`terraform destroy` alone removes Karpenter while its nodes still drain, and then nothing terminates them. This command deletes the
node pools first, while Karpenter runs, and starts Terraform when no NodeClaim and no instance of Karpenter is left. At any error it
stops, and you can run it again.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from stacks.operations.checks.removal import load_balanced, outlives, snapshot_outlives
from stacks.operations.deployment import JSON, DeployedCluster, DeploymentError, NotDeployedError, Object, Stack, name_of
from stacks.operations.terminal import coloured

# What Karpenter manages, in the order of deletion. Deleting an EC2NodeClass removes its instance profile and launch templates.
KINDS = ("nodepools.karpenter.sh", "nodeclaims.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws")
KARPENTER = "kube-system/karpenter"
OWN_FINALIZERS = ("karpenter.sh/", "karpenter.k8s.aws/", "foregroundDeletion")
POLL_SECONDS = 5
QUIET_SECONDS = 60  # after this time without progress, the command says what blocks


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="make destroy STACK=…", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("stack", nargs="?", default="", help="the name of the stack")
    parser.add_argument("--confirm", default="", help="the name of the cluster, instead of asking for it")
    parser.add_argument("--timeout", type=float, default=20, help="stop after this many minutes without progress (default: 20)")
    options, for_terraform = parser.parse_known_args(arguments)
    stack = Stack.named(options.stack, "kubectl", "aws")
    if code := stack.init():
        return code
    with tempfile.TemporaryDirectory() as folder:
        try:
            cluster = stack.cluster(Path(folder, "kubeconfig"), "make-destroy")
        except NotDeployedError as error:
            raise DeploymentError(f"{error} To remove what else it may have, run `terraform destroy` in {stack.folder}.") from None
        if cluster.protected:
            raise DeploymentError(
                f"EKS would refuse to delete {cluster.name}, because deletion_protection is on. Set deletion_protection=False in "
                "main.py, run `make synth` and `terraform apply`, and run this command again. Nothing was removed."
            )
        if cluster.endpoint:
            cluster.connect()
            refuse_load_balancers(cluster)
            _refuse_volumes(cluster)
            _refuse_snapshots(cluster)
        print(
            f"Cluster    {cluster.name} in {cluster.region}\n"
            f"API        {cluster.endpoint or 'already removed'}\n"
            f"Workspace  {stack.workspace()}\n"
            f"Karpenter  {', '.join(cluster.instances()) or 'no instances'}",
            flush=True,
        )
        _confirm(cluster.name, options.confirm)
        if cluster.endpoint:
            remove_nodes(cluster, options.timeout * 60)
        refuse_orphans(cluster)
    print("Karpenter has no instance left. Terraform removes the rest.", flush=True)
    return stack.run("destroy", "-auto-approve", *stack.variables(), *_region(stack, cluster), *for_terraform)


def _region(stack: Stack, cluster: DeployedCluster) -> list[str]:
    """The region of the state: with the region of a main.py that has changed, Terraform would find nothing and forget what runs."""
    variables = json.loads((stack.folder / JSON).read_text()).get("variable", {})
    return [f"-var=region={cluster.region}"] if "region" in variables else []


def refuse_load_balancers(cluster: DeployedCluster) -> None:
    """Stop at what only the load balancer controller can remove.

    Raises:
        DeploymentError: there may be load balancers. The message names the objects.
    """
    kinds = ("services", "ingresses", "gateways.gateway.networking.k8s.io")
    if found := load_balanced(*(cluster.objects(kind) for kind in kinds)):
        raise DeploymentError(
            f"These objects may have load balancers, which Terraform does not know and which block the removal of the network: "
            f"{', '.join(found)}. Delete the objects first, while the load balancer controller runs. Nothing was removed."
        )


def _refuse_volumes(cluster: DeployedCluster) -> None:
    """Nothing deletes a disk in AWS once its driver is gone, and a mount target or an interface of FSx holds on to the network."""
    found = [_volume(item) for item in cluster.objects("persistentvolumes") if outlives(item)]
    if found:
        raise DeploymentError(
            "These PersistentVolumes have the reclaim policy Delete, and what they have in AWS would outlive the cluster: "
            f"{', '.join(found)}. Delete their claims first, while the drivers run. Or keep what they have in AWS, and delete it "
            "yourself: kubectl patch persistentvolume NAME --patch "
            """'{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'. Nothing was removed."""
        )


def _refuse_snapshots(cluster: DeployedCluster) -> None:
    """Nothing deletes a snapshot in AWS once the controller of snapshots and the driver are gone."""
    contents = cluster.objects("volumesnapshotcontents.snapshot.storage.k8s.io")
    if found := [name_of(item) for item in contents if snapshot_outlives(item)]:
        raise DeploymentError(
            "These VolumeSnapshotContents have the deletion policy Delete, and their snapshots in AWS would outlive the cluster: "
            f"{', '.join(found)}. Delete their VolumeSnapshots first, while the drivers run. Or keep what they have in AWS, and "
            """delete it yourself: kubectl patch volumesnapshotcontent NAME --type merge --patch '{"spec":{"deletionPolicy":"""
            """"Retain"}}'. Nothing was removed."""
        )


def _volume(item: Object) -> str:
    claim = item["spec"].get("claimRef")
    return f"{name_of(item)} (claim {claim['namespace']}/{claim['name']})" if claim else name_of(item)


def _confirm(name: str, given: str) -> None:
    if not given:
        try:
            given = input("This removes the cluster and ends every pod in it. Type the name of the cluster to continue: ").strip()
        except EOFError:
            print()
    if given != name:
        raise DeploymentError(f'The name of the cluster must be {name} (got "{given}"). Nothing was removed.')


def refuse_orphans(cluster: DeployedCluster) -> None:
    """Once the cluster is gone nothing else terminates its instances, and Terraform would wait for their subnets.

    Raises:
        DeploymentError: Karpenter left instances. The message has the command that terminates them.
    """
    if instances := cluster.instances():
        raise DeploymentError(
            f"Instances of Karpenter outlived the cluster: {', '.join(instances)}. Terminate them, and run this command again: "
            f"aws ec2 terminate-instances --region {cluster.region} --instance-ids {' '.join(i.split()[0] for i in instances)}"
        )


def remove_nodes(cluster: DeployedCluster, patience: float) -> None:
    """Delete what Karpenter manages, and wait until it is gone.

    Raises:
        DeploymentError: nothing changed for `patience` seconds.
    """
    for kind in KINDS:
        if cluster.objects(kind):
            # In the foreground, a NodePool stays until its NodeClaims are gone; Karpenter gives it no finalizer.
            cluster.kubectl("delete", kind, "--all", "--cascade=foreground", "--wait=false")
    begun = changed = said = time.monotonic()
    before: list[list[str]] = []
    while any(left := [[name_of(item) for item in cluster.objects(kind)] for kind in KINDS] + [cluster.instances()]):
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
            raise DeploymentError(
                f"Nothing changed for {patience / 60:g} minutes. {_blockers(cluster)}\nTerraform was not started. Remove what "
                "blocks, and run this command again."
            )
        if now - said >= QUIET_SECONDS:
            print(f"{now - begun:4.0f} s: {_blockers(cluster)}", flush=True)
            said = now
        time.sleep(POLL_SECONDS)


def _blockers(cluster: DeployedCluster) -> str:
    """What may keep a node from being removed, and what to do about it."""
    found = []
    if not any(item["status"].get("availableReplicas") for item in cluster.objects("deployments") if name_of(item) == KARPENTER):
        found.append(
            f"Karpenter is not running, and nothing else removes its nodes: look at the deployment {KARPENTER}. "
            "If the deployment is gone, `terraform apply` brings it back."
        )
    nodes = {claim.get("status", {}).get("nodeName") for claim in cluster.objects("nodeclaims.karpenter.sh")} - {None}
    pods = [pod for pod in cluster.objects("pods") if pod["spec"].get("nodeName") in nodes]
    for pod in pods:
        if pod["metadata"].get("annotations", {}).get("karpenter.sh/do-not-disrupt") == "true":
            found.append(f"Pod {name_of(pod)} has the annotation karpenter.sh/do-not-disrupt: delete the pod or the annotation.")
    for budget in cluster.objects("poddisruptionbudgets"):
        if budget["status"].get("disruptionsAllowed") == 0 and any(_selects(budget, pod) for pod in pods):
            found.append(f"PodDisruptionBudget {name_of(budget)} allows no disruption: delete the budget or its pods.")
    for item in (item for kind in (*KINDS, "nodes") for item in cluster.objects(kind)):
        foreign = [name for name in item["metadata"].get("finalizers", []) if not name.startswith(OWN_FINALIZERS)]
        if foreign and "deletionTimestamp" in item["metadata"]:
            thing = f"{item['kind']} {name_of(item)}"
            found.append(f"{thing} has the finalizer {', '.join(foreign)}: find out what should remove it, or edit the object.")
    unknown = f"No known cause was found. Look at `kubectl get events --all-namespaces` and at the log of {KARPENTER}."
    return "\n  ".join(["What may block:", *(found or [unknown])])


def _selects(budget: Object, pod: Object) -> bool:
    """Whether a budget may apply to a pod. Expressions are not evaluated, so a budget that has some counts."""
    labels = budget["spec"].get("selector", {}).get("matchLabels", {})
    same_namespace = budget["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return same_namespace and bool(labels.items() <= pod["metadata"].get("labels", {}).items())


def run(arguments: list[str]) -> int:
    """Run `main`; an error and Ctrl-C end with a sentence. Returns the exit code."""
    try:
        return main(arguments)
    except DeploymentError as error:
        print(coloured(f"Stopped. {error}", "red", sys.stderr), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Terraform was not started. Karpenter may still remove nodes; run this command again.", file=sys.stderr
        )
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
