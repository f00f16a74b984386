"""A picture from text by diffusers on the CPU, of the same checkpoint and in the same steps as darkroom's, telling what
it does in lines of JSON as `darkroom run --events` does, so that `bench_memory.py` can watch both alike.

    pip install torch diffusers transformers safetensors
    python tests/peers/torch_memory.py --model FILE [--size 512] [--steps 4] [--threads N] [--dtype bf16]

At its best for memory: weights in bf16 and read tensor by tensor where they stay, one network at a time (the text
encoders are gone before the UNet comes, and the UNet before the decoder), channels last, the decoder in tiles and slices,
and attention whole, for PyTorch's own attention keeps no scores. Offloading moves weights from a graphics card into this
memory, and so has nothing to offer here.

The file is read by the published table of names, `tests/reference/manifests`: one in the names of latent diffusion. Words
are not read: the tokens are made up, as the weights are.
"""
import argparse
import gc
import gzip
import json
import os
import sys
import time
from pathlib import Path

from turns import memory

try:
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from safetensors import safe_open
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection
except ImportError as error:
    sys.exit(f"{error.name} is not here for {sys.executable}: pip install torch diffusers transformers safetensors")

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "models/src/sdxl/published/sdxl-base-1.0"
TABLE = ROOT / "tests/reference/manifests/single-file-sd_xl_base_1.0.json.gz"
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
BEGUN = time.monotonic()


def say(event, **facts):
    print(json.dumps({"event": event, "at": time.monotonic() - BEGUN, **facts}), flush=True)


def config(file):
    return json.loads((CONFIGS / file).read_text())


class Node:
    """Says when a part of the work begins and ends."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.begun = time.monotonic()
        say("started", node=self.name)

    def __exit__(self, *_):
        gc.collect()
        say("finished", node=self.name, how="ran", seconds=time.monotonic() - self.begun)


def load(make, component, a):
    """Makes a network without memory and gives it its tensors one after the other."""
    with torch.device("meta"):
        network = make().to(TYPES[a.dtype]).eval()
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    # Names of transformers have a level less since version 5.
    named = lambda key: key if key in wanted else key.removeprefix("text_model.")
    state = {}
    with gzip.open(TABLE) as file:
        table = json.load(file)["tensors"]
    with safe_open(a.model, framework="pt") as file:
        for name, entry in table.items():
            targets = [to for to in entry["to"] if to["component"] == component]
            if not targets:
                continue
            tensor = file.get_tensor(name)
            for to in targets:
                state[named(to["key"])] = turned(tensor, to["op"]).to(TYPES[a.dtype], copy=True)
    network.load_state_dict(state, strict=False, assign=True)
    for name, buffer in network.named_buffers():
        if buffer.is_meta:
            owner, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(owner), leaf, torch.arange(buffer.shape[-1]).expand(buffer.shape))
    empty = [name for name, tensor in network.state_dict().items() if tensor.is_meta]
    if empty:
        sys.exit(f"{a.model} has nothing for `{empty[0]}` of {component}: use diffusers 0.42 and transformers 5.23, for "
                 "which this script was written")
    return network.to(memory_format=torch.channels_last)


def turned(tensor, op):
    if op == "transpose":
        return tensor.t().contiguous()
    if op == "squeeze 1x1":
        return tensor.reshape(tensor.shape[:2])
    if op.startswith("rows "):
        first, last = op.removeprefix("rows ").split(":")
        return tensor[int(first):int(last)]
    return tensor


def encode(a):
    """Returns what the UNet is told of a text and of none: some words between the tokens of start and end."""
    start, end = torch.full((2, 1), 49_406), torch.full((2, 1), 49_407)
    words = (torch.arange(75 * 2).view(2, 75) + 1) * 7919 % 49_406
    ids, hidden = torch.cat([start, words, end], 1), []
    for kind, file, component in [(CLIPTextModel, "text_encoder.json", "text_encoder"),
                                  (CLIPTextModelWithProjection, "text_encoder_2.json", "text_encoder_2")]:
        encoder = load(lambda: kind(CLIPTextConfig(**config(file))), component, a)
        answer = encoder(ids, output_hidden_states=True)
        hidden.append(answer.hidden_states[-2])
        pooled = answer[0]
        del encoder, answer
        gc.collect()
    context = torch.cat(hidden, -1)
    return {"prompt_embeds": context[:1], "negative_prompt_embeds": context[1:],
            "pooled_prompt_embeds": pooled[:1], "negative_pooled_prompt_embeds": pooled[1:]}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", required=True)
    ap.add_argument("--size", type=int, default=512)
    ap.add_argument("--steps", type=int, default=4)
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--dtype", choices=list(TYPES), default="bf16")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    say("ready", libraries_bytes=memory("VmRSS"))
    with Node("prompt"):
        told = encode(a)
    with Node("denoise"):
        unet = load(lambda: UNet2DConditionModel.from_config(config("unet.json")), "unet", a)
        pipeline = StableDiffusionXLPipeline(
            vae=None, text_encoder=None, text_encoder_2=None, tokenizer=None, tokenizer_2=None, unet=unet,
            scheduler=EulerDiscreteScheduler.from_config(config("scheduler.json")), add_watermarker=False)
        pipeline.set_progress_bar_config(disable=True)

        def stepped(_, step, __, kept):
            say("progress", node="denoise", done=step + 1, of=a.steps)
            return kept

        latents = pipeline(**told, width=a.size, height=a.size, num_inference_steps=a.steps, guidance_scale=5.0,
                           output_type="latent", callback_on_step_end=stepped).images
        del unet, pipeline
    with Node("decode"):
        vae = load(lambda: AutoencoderKL.from_config(config("vae.json")), "vae", a)
        vae.enable_tiling()
        vae.enable_slicing()
        latents = latents.to(TYPES[a.dtype]).contiguous(memory_format=torch.channels_last)
        picture = vae.decode(latents / vae.config.scaling_factor).sample
    if not picture.float().square().mean().isfinite():
        sys.exit("the picture has values that are not finite")
    say("report", program=f"diffusers {a.dtype}")


if __name__ == "__main__":
    main()
