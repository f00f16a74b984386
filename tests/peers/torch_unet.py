"""The work of `unet_bench`, done by torch and diffusers: one forward of the real SDXL UNet, or one decode of its
autoencoder, with made-up weights, printed as JSON.

    pip install torch diffusers
    python tests/peers/torch_unet.py [--part unet|vae] [--size 512] [--batch 2] [--dtype f32|bf16] [--threads N] [--repeat 1]
"""
import argparse
import json
import os
import statistics
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

CONFIGS = Path(__file__).resolve().parents[1] / "reference/configs/sdxl-base-1.0"


def made_up(network, dtype):
    """Fills a network that was made without memory: matrices of variance 1 / inputs, gains 1, biases 0."""
    network = network.to(dtype).to_empty(device="cpu").eval()
    for name, p in network.named_parameters():
        if p.dim() > 1:
            edge = (3 / (p.numel() / p.shape[0])) ** 0.5
            p.uniform_(-edge, edge)
        else:
            p.fill_(1.0 if name.endswith("weight") else 0.0)
    return network


def build(kind, file):
    with torch.device("meta"):
        return kind.from_config(json.loads((CONFIGS / file).read_text()))


def unet(a, dtype):
    network = made_up(build(UNet2DConditionModel, "unet.json"), dtype)
    edge = a.size // 8
    sample = torch.randn(a.batch, 4, edge, edge, dtype=dtype)
    context = torch.randn(a.batch, 77, 2048, dtype=dtype)
    sizes = torch.tensor([[a.size, a.size, 0, 0, a.size, a.size]] * a.batch, dtype=dtype)
    added = {"text_embeds": torch.randn(a.batch, 1280, dtype=dtype), "time_ids": sizes}
    return lambda: network(sample, 500, encoder_hidden_states=context, added_cond_kwargs=added).sample


def vae(a, dtype):
    network = made_up(build(AutoencoderKL, "vae.json"), dtype)
    latents = torch.randn(a.batch, 4, a.size // 8, a.size // 8, dtype=dtype)
    return lambda: network.decode(latents / network.config.scaling_factor).sample


def peak_rss_bytes():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", choices=["unet", "vae"], default="unet")
    ap.add_argument("--size", type=int, default=512)
    ap.add_argument("--batch", type=int, default=2)
    ap.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--repeat", type=int, default=1)
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_grad_enabled(False)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[a.dtype]
    start = time.perf_counter()
    forward = {"unet": unet, "vae": vae}[a.part](a, dtype)
    load_seconds = time.perf_counter() - start
    seconds = []
    for _ in range(a.repeat):
        start = time.perf_counter()
        out = forward()
        seconds.append(time.perf_counter() - start)
        assert torch.isfinite(out).all()
    print(json.dumps({
        "program": f"torch {torch.__version__}",
        "part": a.part,
        "size_px": a.size,
        "batch": a.batch,
        "dtype": a.dtype,
        "dtype_note": "weights and arithmetic in this type, sums as torch's kernels take them",
        "threads": a.threads,
        "load_seconds": load_seconds,
        "seconds": seconds,
        "median_seconds": statistics.median(seconds),
        "peak_rss_bytes": peak_rss_bytes(),
    }, indent=2))


if __name__ == "__main__":
    main()
