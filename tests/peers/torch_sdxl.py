"""The work of `unet_bench`, done by torch, diffusers and transformers: forwards of the real SDXL UNet, decodes of its
autoencoder, or both of its text encoders, with made-up weights, printed as JSON.

    pip install torch diffusers transformers
    python tests/peers/torch_sdxl.py [--part unet|vae|clip] [--size 512] [--batch 2] [--dtype f32|bf16]
        [--layout channels_last|plain] [--threads N] [--repeat 1 | --serve]

Sizes are of the picture in pixels; a text is 77 tokens. One forward more than is counted warms the program up. With
`--serve` it takes turns with `unet_bench` (`bench_peers.py` drives them; `turns.py` says how).

Weights are made where they stay, in the type and layout they are used in, so that the most memory held is that of the
work and not of the loading. `rss_at_start_bytes` is what torch itself takes before there is a network.
"""
import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from turns import memory, serve

try:
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection
except ImportError as error:
    sys.exit(f"{error.name} is not here for {sys.executable}: pip install torch diffusers transformers")

CONFIGS = Path(__file__).resolve().parents[2] / "models/src/sdxl/published/sdxl-base-1.0"
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
LAYOUTS = {"plain": torch.contiguous_format, "channels_last": torch.channels_last}
# Values that fill a weight again and again; a prime, so that no two rows of a matrix are the same.
NOISE = 1_000_003


def config(file):
    return json.loads((CONFIGS / file).read_text())


def made_up(make, a):
    """Makes a network without memory, then gives it some and fills it: matrices of variance 1 / inputs, gains 1, biases
    0."""
    with torch.device("meta"):
        network = make().to(TYPES[a.dtype]).to(memory_format=LAYOUTS[a.layout])
    network = network.to_empty(device="cpu").eval()
    noise = torch.rand(NOISE) * 2 - 1
    for name, p in network.named_parameters():
        if p.dim() > 1:
            # Matrices that start alike would make each other's results larger from layer to layer.
            noise = noise.roll(7919)
            edge = (3 / (p.numel() / p.shape[0])) ** 0.5
            fill(p, (noise * edge).to(p.dtype))
        else:
            p.fill_(1.0 if name.endswith("weight") else 0.0)
    for name, b in network.named_buffers():
        if not name.endswith("position_ids"):
            sys.exit(f"the network has a buffer `{name}` that this script does not fill: use diffusers 0.42 and "
                     "transformers 5.23, for which it was written")
        b.copy_(torch.arange(b.shape[-1]).expand_as(b))
    return network


def fill(p, noise):
    """Fills a tensor in the order of memory, whatever its layout."""
    flat = p.as_strided((p.numel(),), (1,))
    for part in flat.split(NOISE):
        part.copy_(noise[: part.numel()])


def unet(a):
    network = made_up(lambda: UNet2DConditionModel.from_config(config("unet.json")), a)
    edge, dtype = a.size // 8, TYPES[a.dtype]
    sample = torch.randn(a.batch, 4, edge, edge, dtype=dtype).contiguous(memory_format=LAYOUTS[a.layout])
    context = torch.randn(a.batch, 77, 2048, dtype=dtype)
    sizes = torch.tensor([[a.size, a.size, 0, 0, a.size, a.size]] * a.batch, dtype=dtype)
    added = {"text_embeds": torch.randn(a.batch, 1280, dtype=dtype), "time_ids": sizes}
    return lambda: network(sample, 500, encoder_hidden_states=context, added_cond_kwargs=added).sample


def vae(a):
    network = made_up(lambda: AutoencoderKL.from_config(config("vae.json")), a)
    latents = torch.randn(a.batch, 4, a.size // 8, a.size // 8, dtype=TYPES[a.dtype])
    latents = latents.contiguous(memory_format=LAYOUTS[a.layout])
    return lambda: network.decode(latents / network.config.scaling_factor).sample


def clip(a):
    """Both encoders, each to the last layer but one, as SDXL's pipeline takes it."""
    def encoder(kind, file):
        return made_up(lambda: kind(CLIPTextConfig(**config(file))), a)

    encoders = [encoder(CLIPTextModel, "text_encoder.json"),
                encoder(CLIPTextModelWithProjection, "text_encoder_2.json")]
    words = torch.arange(75 * a.batch).view(a.batch, 75)
    start, end = torch.full((a.batch, 1), 49_406), torch.full((a.batch, 1), 49_407)
    ids = torch.cat([start, (words + 1) * 7919 % 49_406, end], 1)
    return lambda: torch.cat([e(ids, output_hidden_states=True).hidden_states[-2] for e in encoders], -1)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--part", choices=["unet", "vae", "clip"], default="unet")
    ap.add_argument("--size", type=int, default=512)
    ap.add_argument("--batch", type=int, default=2)
    ap.add_argument("--dtype", choices=list(TYPES), default="f32")
    ap.add_argument("--layout", choices=list(LAYOUTS), default="channels_last")
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--repeat", type=int, default=1)
    ap.add_argument("--serve", action="store_true")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    rss_at_start = memory("VmRSS")
    start = time.perf_counter()
    forward = {"unet": unet, "vae": vae, "clip": clip}[a.part](a)
    load_seconds = time.perf_counter() - start
    seconds, sizes = [], []

    def turn():
        start = time.perf_counter()
        out = forward()
        seconds.append(time.perf_counter() - start)
        sizes.append(out.float().square().mean().item())
        if not sizes[-1] < float("inf"):
            sys.exit("the network gave values that are not finite")
        return seconds[-1]

    def reply(line):
        if line != "go":
            sys.exit(f"`{line}` is not known; there is `go`, and `end`")
        return {"seconds": turn()}

    turn()
    seconds.clear()
    if a.serve:
        serve({"ready": True, "load_seconds": load_seconds}, reply)
    else:
        for _ in range(a.repeat):
            turn()
    print(json.dumps({
        "program": f"torch {torch.__version__}",
        "part": a.part,
        "size_px": a.size,
        "batch": a.batch,
        "mode": a.dtype,
        "layout": a.layout,
        "threads": a.threads,
        "load_seconds": load_seconds,
        "seconds": seconds,
        "median_seconds": statistics.median(seconds) if seconds else None,
        "peak_rss_bytes": memory("VmHWM"),
        "rss_at_start_bytes": rss_at_start,
        "mean_square": sizes[-1],
    }, indent=None if a.serve else 2))


if __name__ == "__main__":
    main()
