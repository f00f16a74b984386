"""Trains the refiner: SDXL's second denoiser, which hears the second text encoder and a score, and works on the last noise only.

    python train_refiner.py WEIGHTS OUT --deadline 14:20 [--seconds 1700] [--count 2400]

WEIGHTS is the exported folder. The net starts as the two finer levels of its UNet. It is shown pictures of the renderer,
the same ones spoilt, and the same ones drawn again by the base model, which is what it will be given. A low score asks for
the spoilt picture as it is, a high one for the clean picture. OUT/refiner.pt holds weights, running average, optimiser and
seconds used; at the end the average is written to OUT/refiner in f16. Encoder, tokenizer and autoencoder stay the base's.
"""
import argparse, io, json, os, time
import numpy as np, torch, torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image, ImageFilter
from captions import caption
from export import save, tidy
from model import LATENT_SCALE, SCHEDULE, TOKENS, UNET, Tokens, encode_text, load_parts, load_vae
from pace import seconds_until
from render import render
from train_vae import pixels_to_unit

LAST_T = 330  # noisier moments belong to the base
CAPTIONS = 2
TEXT = 96  # width of the second encoder
CONFIG = dict(UNET, layers_per_block=1, block_out_channels=(64, 96), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
              up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=[1, 1], attention_head_dim=(2, 3),
              cross_attention_dim=TEXT, projection_class_embeddings_input_dim=TEXT + 5 * 32)
KEPT = torch.cumprod(1 - torch.linspace(SCHEDULE["beta_start"] ** .5, SCHEDULE["beta_end"] ** .5, 1000) ** 2, 0)


def sliced(base):
    """The base's weights as far as they fit: its coarsest level is left out, and the first encoder's columns."""
    size, wide = UNET["block_out_channels"][-1], CONFIG["block_out_channels"][-1]
    moved = {"up_blocks.0.": "up_blocks.1.", "up_blocks.1.": "up_blocks.2."}
    weights = {}
    for name, p in UNet2DConditionModel(**CONFIG).state_dict().items():
        source = base[next((name.replace(a, b, 1) for a, b in moved.items() if name.startswith(a)), name)].float()
        if name == "add_embedding.linear_1.weight":
            source = torch.cat([source[:, :TEXT + 4 * 32], .03 * torch.randn(len(source), 32)], 1)  # of the score it knows nothing
        elif name == "add_embedding.linear_1.bias":
            # What the base was always told as the size wanted, 256x256, becomes part of the bias.
            angles = 256 * torch.exp(-np.log(1e4) * torch.arange(16) / 16)
            told = torch.cat([angles.cos(), angles.sin()]).repeat(2)
            source = source + base["add_embedding.linear_1.weight"].float()[:, TEXT + 4 * 32:] @ told
        elif source.shape != p.shape and name.endswith((".attn2.to_k.weight", ".attn2.to_v.weight")):
            source = source[:, -TEXT:]
        elif source.shape != p.shape and name.startswith("up_blocks.0.resnets.0.") and source.shape[-1 if source.ndim == 1 else 1] == size + wide:
            keep = [*range(wide), *range(size, size + wide)]  # what comes from below, and what comes across
            source = source[keep] if source.ndim == 1 else source[:, keep]
        for dim, length in enumerate(p.shape):
            source = source.narrow(dim, 0, length)
        weights[name] = source.contiguous()
    return weights


def spoil(pixels, strength, rng):
    """Out of focus and squeezed: hardly to be seen at 0, ugly at 1."""
    picture = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(.5 + 2.8 * strength * rng.uniform(.6, 1)))
    squeezed = io.BytesIO()
    picture.save(squeezed, "JPEG", quality=int(95 - 75 * strength * rng.uniform(.5, 1)))
    return np.asarray(Image.open(squeezed))


def smear(z, strength):
    """Latents out of focus: five cells of eight pixels wide at strength 1. Noise of the last steps does not hide this."""
    wide = F.avg_pool2d(F.avg_pool2d(F.pad(z, (2, 2, 2, 2), "reflect"), 3, 1), 3, 1)
    return z.lerp(wide, strength[:, None, None, None])


@torch.no_grad()
def encode(vae, pictures):
    made = []
    for low in range(0, len(pictures), 8):
        with torch.autocast("cpu", torch.bfloat16):
            made.append((vae.encode(pixels_to_unit(np.stack(pictures[low:low + 8]))).latent_dist.mode().float() * LATENT_SCALE))
    return torch.cat(made)


@torch.no_grad()
def denoise(net, x, timesteps):
    """Plain DDIM from the first timestep to nothing; `net(x, t)` returns v."""
    for t, after in zip(timesteps, [*timesteps[1:], -1]):
        kept, next_kept = KEPT[t], KEPT[after] if after >= 0 else torch.tensor(1.)
        with torch.autocast("cpu", torch.bfloat16):
            v = net(x, torch.full((len(x),), t)).float()
        clean, noise = kept.sqrt() * x - (1 - kept).sqrt() * v, kept.sqrt() * v + (1 - kept).sqrt() * x
        x = next_kept.sqrt() * clean + (1 - next_kept).sqrt() * noise
    return x


@torch.no_grad()
def drawn_again(parts, tokens, latents, texts, rng):
    """The base noises the pictures and draws them again: the composition stays, the hand is the base's."""
    made = []
    for low in range(0, len(latents), 16):
        z = latents[low:low + 16]
        cond, pooled = encode_text(parts, tokens(texts[low:low + 16]), tokens.end)
        sizes = torch.tensor([[256., 256., 0, 0, 256., 256.]]).repeat(len(z), 1)
        net = lambda x, t: parts.unet(x, t, cond, added_cond_kwargs=dict(text_embeds=pooled, time_ids=sizes)).sample
        start = int(rng.integers(350, 600))
        noised = KEPT[start].sqrt() * z + (1 - KEPT[start]).sqrt() * torch.randn(z.shape)
        made.append(denoise(net, noised, list(range(start, 0, -90))))
    return torch.cat(made)


@torch.no_grad()
def second_text(parts, ids, end):
    """What SDXL's refiner hears: the last but one layer of the second encoder, and its pooled vector."""
    place = (ids == end).int().argmax(1, keepdim=True)
    out = parts.text_encoder_2(ids.masked_fill(torch.arange(TOKENS)[None] > place, 0), output_hidden_states=True)
    return out.hidden_states[-2].half(), out.text_embeds.half()


@torch.no_grad()
def material(weights, count, seed=7):
    """Clean latents, spoilt latents, how much each is spoilt, and the encoded captions."""
    tokens, vae, rng = Tokens(weights), load_vae(f"{weights}/vae"), np.random.default_rng([seed])
    parts, started = load_parts(weights, tokens), time.time()
    drawn = [render(np.random.default_rng([seed, i]), degraded=False) for i in range(count)]
    clean = encode(vae, [picture for picture, _ in drawn])
    texts = [[caption(label, rng) for _, label in drawn] for _ in range(CAPTIONS)]
    strength = torch.from_numpy(rng.uniform(.1, 1, count)).float()
    spoilt = encode(vae, [spoil(picture, amount, rng) for (picture, _), amount in zip(drawn, strength.tolist())])
    again = np.arange(0, count, 3)
    spoilt[again] = drawn_again(parts, tokens, clean[again], [texts[0][i] for i in again], rng)
    strength[again] = .75
    ids = torch.cat([tokens(row) for row in texts])
    encoded = [second_text(parts, part, tokens.end) for part in ids.split(64)]
    cond, pooled = (torch.cat(column).unflatten(0, (CAPTIONS, count)) for column in zip(*encoded))
    empty = second_text(parts, tokens([""]), tokens.end)
    print(f"made {count} pairs in {time.time() - started:.0f}s", flush=True)
    return dict(clean=clean, spoilt=spoilt, strength=strength, cond=cond, pooled=pooled, empty_cond=empty[0], empty_pooled=empty[1])


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("weights"); ask.add_argument("out")
    ask.add_argument("--deadline"); ask.add_argument("--seconds", type=float)
    ask.add_argument("--count", type=int, default=2400); ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--batch", type=int, default=12); ask.add_argument("--rate", type=float, default=6e-4)
    a = ask.parse_args()
    torch.manual_seed(0); torch.set_num_threads(a.threads)
    os.makedirs(a.out, exist_ok=True)
    if os.path.exists(f"{a.out}/material.pt"):
        set_ = torch.load(f"{a.out}/material.pt", weights_only=True)
    else:
        set_ = material(a.weights, a.count)
        torch.save(set_, f"{a.out}/material.pt")
    base = UNet2DConditionModel.from_pretrained(f"{a.weights}/unet", torch_dtype=torch.float32).state_dict()
    net = UNet2DConditionModel(**CONFIG).to(memory_format=torch.channels_last)
    net.load_state_dict(sliced(base)); net.set_attn_processor(AttnProcessor())
    optimiser = torch.optim.AdamW(net.parameters(), lr=a.rate, betas=(.9, .98), weight_decay=.01, fused=True)
    average, step, used, file, log = {name: p.detach().clone() for name, p in net.state_dict().items()}, 0, 0., f"{a.out}/refiner.pt", []
    if os.path.exists(file):
        saved = torch.load(file, weights_only=True)
        net.load_state_dict(saved["weights"]); average = saved["average"]; optimiser.load_state_dict(saved["optimiser"])
        step, used, log = saved["step"], saved["used"], saved["log"]
        torch.manual_seed(step)
    left = min(a.seconds - used if a.seconds else 1e9, seconds_until(a.deadline) if a.deadline else 1e9)
    total, started, told, saved_at, count = used + left, time.time() - used, [], time.time(), len(set_["clean"])

    def keep():
        torch.save(dict(weights=net.state_dict(), average=average, optimiser=optimiser.state_dict(), step=step, used=time.time() - started, log=log), file + ".part")
        os.replace(file + ".part", file)

    while (share := (time.time() - started) / total) < 1:
        for group in optimiser.param_groups:
            group["lr"] = float(a.rate * min(1, (step + 1) / 150) * (.02 + .98 * .5 * (1 + np.cos(np.pi * share))))
        i = torch.randint(0, count, (a.batch,))
        chance = torch.rand(a.batch)
        given_clean, as_it_is = chance < .4, chance > .75  # the others: spoilt in, clean out
        clean, spoilt, amount = set_["clean"][i], set_["spoilt"][i], set_["strength"][i]
        if step % 2: spoilt = smear(clean, amount)
        pick = lambda flags, one, other: torch.where(flags[:, None, None, None], one, other)
        given, wanted = pick(given_clean, clean, spoilt), pick(as_it_is, spoilt, clean)
        score = torch.where(as_it_is, 6 - 4.5 * amount, torch.tensor(6.5)) + .3 * torch.randn(a.batch)
        if torch.rand(()) < .5: given, wanted = given.flip(3), wanted.flip(3)
        form = torch.randint(0, CAPTIONS, (a.batch,))
        cond, pooled = set_["cond"][form, i].float(), set_["pooled"][form, i].float()
        empty = torch.rand(a.batch) < .15
        cond[empty], pooled[empty] = set_["empty_cond"].float(), set_["empty_pooled"].float()
        t = ((torch.arange(a.batch) + torch.rand(a.batch)) / a.batch * LAST_T).long()[torch.randperm(a.batch)]
        kept = KEPT[t][:, None, None, None]
        x = (kept.sqrt() * given + (1 - kept).sqrt() * torch.randn_like(given)).contiguous(memory_format=torch.channels_last)
        sizes = torch.tensor([[256., 256., 0, 0]]).repeat(a.batch, 1)
        with torch.autocast("cpu", torch.bfloat16):
            made = net(x, t, cond, added_cond_kwargs=dict(text_embeds=pooled, time_ids=torch.cat([sizes, score[:, None]], 1))).sample.float()
        # v as it must be for the next clean picture to be `wanted`, whatever was noised. With little noise left v would
        # have to grow without bound to mend anything, so there the mending counts less.
        error = (made - (kept.sqrt() * x - wanted) / (1 - kept).sqrt()).square()
        mends = (~given_clean & ~as_it_is)[:, None, None, None]
        loss = (error * torch.where(mends, (3 * (1 - kept)).clamp(max=1), 1.)).mean()
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
    size = save(f"{a.out}/refiner/unet", "diffusion_pytorch_model.safetensors", average)
    json.dump(tidy(json.loads(net.to_json_string())), open(f"{a.out}/refiner/unet/config.json", "w"), indent=2)
    pair = lambda library, kind: [library, kind]
    json.dump(dict(
        _class_name="StableDiffusionXLImg2ImgPipeline", _diffusers_version="0.42.1", force_zeros_for_empty_prompt=False,
        requires_aesthetics_score=True, scheduler=pair("diffusers", "EulerDiscreteScheduler"), text_encoder=pair(None, None),
        text_encoder_2=pair("transformers", "CLIPTextModelWithProjection"), tokenizer=pair(None, None),
        tokenizer_2=pair("transformers", "CLIPTokenizer"), unet=pair("diffusers", "UNet2DConditionModel"), vae=pair("diffusers", "AutoencoderKL"),
    ), open(f"{a.out}/refiner/model_index.json", "w"), indent=2)
    print(f"done: {step} steps, {time.time() - started:.0f}s, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
