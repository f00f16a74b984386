"""Teaches the embedded model a manner by a LoRA: cyanotypes, in Prussian blue on white paper, whatever the prompt.

    python train_lora.py WEIGHTS ../graphs/loras/cyanotype.safetensors --deadline 15:50 [--seconds 900] [--count 1200]

Rank 8 on every matrix of the denoiser's transformers, in the kohya spelling. Only the LoRA learns.
"""
import argparse, time
import numpy as np, torch
from safetensors.torch import save_file
from captions import caption
from model import LATENT_SCALE, SCHEDULE, Tokens, load_parts, load_vae, plain_attention, predict
from pace import Pace, seconds_until
from render import render
from train_vae import pixels_to_unit

RANK = 8
PAPER, BLUE = np.array([.96, .97, .95], np.float32), np.array([.03, .12, .36], np.float32)


def cyanotype(pixels):
    """Bytes in, bytes out: light falls on paper, dark on blue, with the soft toe and shoulder of a print."""
    light = (pixels / 255.) @ np.array([.3, .55, .15], np.float32)
    light = (light - light.min()) / max(light.max() - light.min(), 1e-3)
    light = (light * light * (3 - 2 * light))[..., None]
    return np.round((BLUE + (PAPER - BLUE) * light) * 255).astype(np.uint8)


class Adapted(torch.nn.Module):
    """A frozen matrix and what is learned beside it."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        self.down = torch.nn.Parameter(torch.randn(RANK, base.in_features) / base.in_features ** .5)
        self.up = torch.nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, x):
        return self.base(x) + x @ self.down.T.to(x.dtype) @ self.up.T.to(x.dtype)


def adapt(unet):
    """Puts an adapter on every matrix inside a transformer; returns them by the kohya name of their module."""
    names = [name for name, part in unet.named_modules() if isinstance(part, torch.nn.Linear) and ".attentions." in name]
    made = {}
    for name in names:
        parent, last = name.rsplit(".", 1)
        parent = unet.get_submodule(parent)
        adapted = Adapted(getattr(parent, last))
        setattr(parent, last, adapted)
        made["lora_unet_" + name.replace(".", "_")] = adapted
    return made


@torch.no_grad()
def examples(vae, tokens, count, seed, pace):
    latents, ids, pictures = [], [], []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        picture, label = render(rng)
        pictures.append(cyanotype(np.asarray(picture))); ids.append(caption(label, rng))
        if len(pictures) == 16 or i + 1 == count:
            pace.tick()
            latents.append(vae.encode(pixels_to_unit(np.stack(pictures))).latent_dist.mode() * LATENT_SCALE)
            pictures = []
    return torch.cat(latents), tokens(ids)


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("weights"); ask.add_argument("out")
    ask.add_argument("--deadline"); ask.add_argument("--seconds", type=float, default=900)
    ask.add_argument("--count", type=int, default=1200); ask.add_argument("--batch", type=int, default=8)
    ask.add_argument("--rate", type=float, default=2e-3); ask.add_argument("--seed", type=int, default=5)
    a = ask.parse_args()
    torch.manual_seed(a.seed)
    pace, tokens = Pace(), Tokens(a.weights)
    parts = load_parts(a.weights, tokens)
    parts.requires_grad_(False)
    plain_attention(parts)
    adapters = adapt(parts.unet)
    clean, ids = examples(load_vae(f"{a.weights}/vae"), tokens, a.count, a.seed, pace)
    empty = tokens([""])[0]
    learned = [p for adapter in adapters.values() for p in (adapter.down, adapter.up)]
    optimiser = torch.optim.AdamW(learned, lr=a.rate, weight_decay=0.)
    kept = torch.cumprod(1 - torch.linspace(SCHEDULE["beta_start"] ** .5, SCHEDULE["beta_end"] ** .5, 1000) ** 2, 0)
    total = min(a.seconds, seconds_until(a.deadline) if a.deadline else 1e9)
    started, step, told = time.time(), 0, []
    while (share := (time.time() - started) / total) < 1:
        for group in optimiser.param_groups:
            group["lr"] = a.rate * min(1, (step + 1) / 20) * .5 * (1 + np.cos(np.pi * share))
        i = torch.randint(0, len(clean), (a.batch,))
        text = ids[i].clone(); text[torch.rand(a.batch) < .1] = empty
        t = (((torch.arange(a.batch) + torch.rand(a.batch)) / a.batch) ** .65 * 1000).long().clamp(max=999)
        keep, z = kept[t][:, None, None, None], clean[i]
        noise = torch.randn_like(z) + .06 * torch.randn(a.batch, 4, 1, 1)  # as the denoiser itself was trained
        with torch.autocast("cpu", torch.bfloat16):
            made = predict(parts, keep.sqrt() * z + (1 - keep).sqrt() * noise, t, text, tokens.end, 256)
        loss = (made.float() - (keep.sqrt() * noise - (1 - keep).sqrt() * z)).square().mean()
        optimiser.zero_grad(); loss.backward(); optimiser.step()
        pace.tick(); step += 1; told.append(loss.item())
        if step % 50 == 0:
            print(f"step {step}, {time.time() - started:.0f}s, error {np.mean(told[-50:]):.4f}", flush=True)
    tensors = {}
    for name, adapter in adapters.items():
        tensors[f"{name}.lora_down.weight"] = adapter.down.detach().half().contiguous()
        tensors[f"{name}.lora_up.weight"] = adapter.up.detach().half().contiguous()
        tensors[f"{name}.alpha"] = torch.tensor(float(RANK)).half()
    save_file(tensors, a.out, {"ss_network_module": "networks.lora", "ss_network_dim": str(RANK), "ss_network_alpha": str(RANK),
                               "modelspec.title": "cyanotype", "ss_base_model_version": "darkroom mini"})
    print(f"done: {step} steps, {len(adapters)} modules")


if __name__ == "__main__":
    main()
