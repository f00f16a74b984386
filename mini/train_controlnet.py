"""Trains a ControlNet: the embedded denoiser draws along edges that it is given.

    python train_controlnet.py WEIGHTS OUT --deadline 17:05 [--seconds 3000] [--count 1500]

WEIGHTS is the exported folder. The net begins as the denoiser's own descent; at its second level it has no attention,
which spares room. It sees pictures of the renderer with their Canny edges at changing thresholds. Only the ControlNet
learns. Large weights are rounded to eight-bit floats in every step, so that the file holds what was trained.
OUT/controlnet.pt holds weights, running average, optimiser and seconds used; at the end the average is written to
OUT/controlnet.
"""
import argparse, json, os, time
import cv2, numpy as np, torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import save_file
from torch.func import functional_call
from captions import caption
from export import tidy
from model import SCHEDULE, UNET, Tokens, encode_text, load_parts, load_vae
from pace import seconds_until
from render import render
from train_refiner import encode

CAPTIONS = 2
CONFIG = {name: UNET[name] for name in (
    "in_channels", "layers_per_block", "block_out_channels", "transformer_layers_per_block", "attention_head_dim", "cross_attention_dim",
    "use_linear_projection", "norm_num_groups", "addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim")}
CONFIG.update(down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"), conditioning_embedding_out_channels=(8, 16, 32, 64))
KEPT = torch.cumprod(1 - torch.linspace(SCHEDULE["beta_start"] ** .5, SCHEDULE["beta_end"] ** .5, 1000) ** 2, 0)


def begun(unet):
    """A new net with the denoiser's weights where both have a part of that name; what leads out of it begins at zero."""
    net = ControlNetModel(**CONFIG)
    own, base = net.state_dict(), unet.state_dict()
    net.load_state_dict({name: base.get(name, p) for name, p in own.items()})
    net.set_attn_processor(AttnProcessor())
    return net.to(memory_format=torch.channels_last)


def is_packed(name, p):
    """Whether a weight is stored in eight bits: all but vectors, and what begins at zero or reads few channels, which stays in f16."""
    return p.ndim > 1 and (not name.startswith(("controlnet_", "conv_in.")) or name.startswith("controlnet_cond_embedding.blocks."))


def rounded(p):
    """The nearest eight-bit float; the gradient passes as if nothing had happened."""
    return p + (p.to(torch.float8_e4m3fn).to(p.dtype) - p).detach()


def edges(pixels, low, high, blur=0.):
    """OpenCV's Canny of bytes (height, width, 3) or (height, width): 255 on an edge, else 0."""
    return cv2.Canny(cv2.GaussianBlur(pixels, (0, 0), blur) if blur else pixels, low, high)


def varied_edges(pixels, rng):
    """Edges as people make them: from colour or grey, fine or coarse, of the picture as it is or smoothed."""
    if rng.random() < .5: pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    blur = rng.uniform(.6, 1.6) if rng.random() < .4 else 0.
    low = rng.uniform(25, 130) * (.6 if blur else 1)
    return edges(pixels, low, low * rng.uniform(1.6, 2.6), blur)


@torch.no_grad()
def material(weights, count, seed=13):
    """Pictures, their latents, and the encoded captions."""
    tokens, vae, rng = Tokens(weights), load_vae(f"{weights}/vae"), np.random.default_rng([seed])
    parts, started = load_parts(weights, tokens), time.time()
    drawn = [render(np.random.default_rng([seed, i]), degraded=False) for i in range(count)]
    pictures = [np.asarray(picture) for picture, _ in drawn]
    encoded = [encode_text(parts, tokens([caption(label, rng) for _, label in drawn[low:low + 50]]), tokens.end)
               for _ in range(CAPTIONS) for low in range(0, count, 50)]
    cond, pooled = (torch.cat(column).half().unflatten(0, (CAPTIONS, count)) for column in zip(*encoded))
    empty = encode_text(parts, tokens([""]), tokens.end)
    made = dict(pictures=torch.from_numpy(np.stack(pictures)), latents=encode(vae, pictures), cond=cond, pooled=pooled,
                empty_cond=empty[0].half(), empty_pooled=empty[1].half())
    print(f"made {count} examples in {time.time() - started:.0f}s", flush=True)
    return made


def batch(set_, size, rng):
    """Latents, edges as the net reads them, and text; half of it mirrored, three in ten without a caption."""
    i = torch.randint(0, len(set_["latents"]), (size,))
    clean, pictures = set_["latents"][i], set_["pictures"][i].numpy()
    lines = torch.from_numpy(np.stack([varied_edges(picture, rng) for picture in pictures])).float().div(255)[:, None].repeat(1, 3, 1, 1)
    form = torch.randint(0, CAPTIONS, (size,))
    cond, pooled = set_["cond"][form, i].float(), set_["pooled"][form, i].float()
    empty = torch.rand(size) < .3
    cond[empty], pooled[empty] = set_["empty_cond"].float(), set_["empty_pooled"].float()
    if torch.rand(()) < .5: clean, lines = clean.flip(3), lines.flip(3)
    text = dict(text_embeds=pooled, time_ids=torch.tensor([[256., 256., 0, 0, 256., 256.]]).repeat(size, 1))
    last = dict(memory_format=torch.channels_last)
    return clean.contiguous(**last), lines.contiguous(**last), cond, text


def export(folder, net, average):
    """Eight-bit floats without scales, and f16 for the rest."""
    os.makedirs(folder, exist_ok=True)
    packed = {name for name, p in net.named_parameters() if is_packed(name, p)}
    tensors = {name: p.contiguous().to(torch.float8_e4m3fn if name in packed else torch.float16) for name, p in sorted(average.items())}
    file = f"{folder}/diffusion_pytorch_model.safetensors"
    save_file(tensors, file, metadata={"format": "pt"})
    os.chmod(file, 0o644)
    config = {name: value for name, value in tidy(json.loads(net.to_json_string())).items() if not name.startswith("_use")}
    json.dump(config, open(f"{folder}/config.json", "w"), indent=2)
    return os.path.getsize(file)


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("weights"); ask.add_argument("out")
    ask.add_argument("--deadline"); ask.add_argument("--seconds", type=float)
    ask.add_argument("--count", type=int, default=1500); ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--batch", type=int, default=8); ask.add_argument("--rate", type=float, default=1.2e-3)
    a = ask.parse_args()
    torch.manual_seed(0); torch.set_num_threads(a.threads); cv2.setNumThreads(1)
    os.makedirs(a.out, exist_ok=True)
    if not os.path.exists(f"{a.out}/material.pt"):
        torch.save(material(a.weights, a.count), f"{a.out}/material.pt")
    set_ = torch.load(f"{a.out}/material.pt", weights_only=True)
    unet = UNet2DConditionModel.from_pretrained(f"{a.weights}/unet", torch_dtype=torch.float32).to(memory_format=torch.channels_last).requires_grad_(False)
    unet.set_attn_processor(AttnProcessor())
    net = begun(unet)
    optimiser = torch.optim.AdamW(net.parameters(), lr=a.rate, betas=(.9, .98), weight_decay=.01, fused=True)
    average, step, used, file, log = {name: p.detach().clone() for name, p in net.state_dict().items()}, 0, 0., f"{a.out}/controlnet.pt", []
    if os.path.exists(file):
        saved = torch.load(file, weights_only=True)
        net.load_state_dict(saved["weights"]); average = saved["average"]; optimiser.load_state_dict(saved["optimiser"])
        step, used, log = saved["step"], saved["used"], saved["log"]
        torch.manual_seed(step)
    rng = np.random.default_rng([17, step])
    left = min(a.seconds - used if a.seconds else 1e9, seconds_until(a.deadline) if a.deadline else 1e9)
    total, started, told, saved_at = used + left, time.time() - used, [], time.time()

    def keep():
        torch.save(dict(weights=net.state_dict(), average=average, optimiser=optimiser.state_dict(), step=step, used=time.time() - started, log=log), file + ".part")
        os.replace(file + ".part", file)

    while (share := (time.time() - started) / total) < 1:
        fall = max(0., (share - .4) / .6)  # flat at first, then a cosine
        for group in optimiser.param_groups:
            group["lr"] = float(a.rate * min(1, (step + 1) / 100) * (.02 + .98 * .5 * (1 + np.cos(np.pi * fall))))
        clean, lines, cond, text = batch(set_, a.batch, rng)
        # Where things stand is decided in the noisy half, so that is drawn more often.
        t = (((torch.arange(a.batch) + torch.rand(a.batch)) / a.batch) ** .5 * 1000).long().clamp(max=999)
        kept, noise = KEPT[t][:, None, None, None], torch.randn_like(clean) + .06 * torch.randn(a.batch, 4, 1, 1)  # as the denoiser was trained
        x = kept.sqrt() * clean + (1 - kept).sqrt() * noise
        weights = {name: rounded(p) if is_packed(name, p) else p for name, p in net.named_parameters()}
        with torch.autocast("cpu", torch.bfloat16):
            down, middle = functional_call(net, weights, (x, t, cond, lines), dict(added_cond_kwargs=text, return_dict=False))
            made = unet(x, t, cond, added_cond_kwargs=text, down_block_additional_residuals=down, mid_block_additional_residual=middle).sample
        loss = (made.float() - (kept.sqrt() * noise - (1 - kept).sqrt() * clean)).square().mean()
        optimiser.zero_grad(); loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.); optimiser.step()
        step += 1; told.append(loss.item())
        if step % 5 == 0:
            hold = min(.985, 1 - 8 / (step / 2 + 8))
            for name, p in net.state_dict().items():
                average[name].lerp_(p, 1 - hold)
        if step % 100 == 0:
            log.append([step, round(time.time() - started), round(float(np.mean(told[-100:])), 4)])
            print("step %d, %ds, error %.4f" % tuple(log[-1]), flush=True)
        if time.time() - saved_at > 120:
            keep(); saved_at = time.time()
    keep()
    size = export(f"{a.out}/controlnet", net, average)
    print(f"done: {step} steps, {time.time() - started:.0f}s, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
