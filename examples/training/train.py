"""Trains a toy model on random data with all GPUs, and continues from the last checkpoint in S3. Replace it with your own.

Runs under torchrun, in the pods of train.yaml. The data and the model are there to have something to save.
"""

import os

import boto3
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from s3torchconnector.dcp import S3StorageReader, S3StorageWriter
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.nn.parallel import DistributedDataParallel

BUCKET, RUN = os.environ["BUCKET"], os.environ["RUN"]
REGION = os.environ["AWS_REGION"]  # EKS sets the region with the pod identity
STEPS, STEPS_PER_CHECKPOINT = 20_000, 200
WIDTH, LAYERS, BATCH = 8192, 8, 256


def path(step: int) -> str:
    """Where the checkpoint of a step is."""
    return f"s3://{BUCKET}/{RUN}/{step:08d}/"


def last_step() -> int:
    """The step of the newest checkpoint that is whole, or 0. Torch writes .metadata when all ranks have written their parts."""
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{RUN}/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return max((int(key.split("/")[-2]) for key in keys if key.endswith("/.metadata")), default=0)


def main() -> None:
    """Train until the last step."""
    dist.init_process_group("nccl")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    layers = [layer for _ in range(LAYERS) for layer in (nn.Linear(WIDTH, WIDTH), nn.GELU())]
    model = DistributedDataParallel(nn.Sequential(*layers).to(device, torch.bfloat16), device_ids=[device.index])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    found = torch.tensor(last_step() if dist.get_rank() == 0 else 0, device=device)
    dist.broadcast(found, src=0)  # all ranks continue from the same step
    first = int(found)
    if first:
        of_model, of_optimizer = get_state_dict(model, optimizer)
        state = {"model": of_model, "optimizer": of_optimizer}
        dcp.load(state, storage_reader=S3StorageReader(region=REGION, path=path(first)))
        set_state_dict(model, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])

    for step in range(first + 1, STEPS + 1):
        batch = torch.randn(BATCH, WIDTH, device=device, dtype=torch.bfloat16)
        loss = (model(batch) - batch).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % STEPS_PER_CHECKPOINT == 0:
            of_model, of_optimizer = get_state_dict(model, optimizer)
            dcp.save({"model": of_model, "optimizer": of_optimizer}, storage_writer=S3StorageWriter(region=REGION, path=path(step)))
            if dist.get_rank() == 0:
                print(f"step {step} of {STEPS}, loss {loss.item():.4f}, saved to {path(step)}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
