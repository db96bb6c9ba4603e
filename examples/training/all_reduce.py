"""Measures the bandwidth of NCCL's all-reduce between all GPUs, by the formula of nccl-tests (doc/PERFORMANCE.md there).

Runs under torchrun, in the pods of all-reduce.yaml.
"""

import os

import torch
import torch.distributed as dist

WARM_UP, TIMES = 5, 20


def main() -> None:
    """Print a line for each size."""
    dist.init_process_group("nccl")
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    ranks = dist.get_world_size()
    for power in range(20, 34):  # 1 MiB to 8 GiB
        size = 2**power
        values = torch.zeros(size // 2, device="cuda", dtype=torch.bfloat16)
        for _ in range(WARM_UP):
            dist.all_reduce(values)
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(TIMES):
            dist.all_reduce(values)
        end.record()
        end.synchronize()
        seconds = begin.elapsed_time(end) / 1000 / TIMES
        algorithm = size / seconds / 1e9
        bus = algorithm * 2 * (ranks - 1) / ranks
        if dist.get_rank() == 0:
            print(f"{size:>12} bytes  {seconds * 1e6:>10.1f} us  algbw {algorithm:>7.2f} GB/s  busbw {bus:>7.2f} GB/s", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
