"""What does the refiner mend? Measured on renders that no training saw, against the clean render.

    python check_refiner.py WEIGHTS OUT         OUT/refiner.json, OUT/refiner.png

WEIGHTS/refiner holds the refiner's own files; the folder that diffusers opens is put together of those and the base's.
"""
import json, os, sys, tempfile
import numpy as np, torch
from diffusers import StableDiffusionXLImg2ImgPipeline
from PIL import Image
from captions import caption
from model import LATENT_SCALE, Tokens, encode_text, load_parts, load_vae
from render import render
from train_refiner import KEPT, denoise, drawn_again, encode, second_text, spoil

FRESH, T = 16, 200
STEPS = list(range(T, 0, -40))


def assemble(weights, folder):
    """The refiner as a whole diffusers folder, of links."""
    own = {"unet": "refiner/unet", "model_index.json": "refiner/model_index.json"}
    for name in ("unet", "model_index.json", "scheduler", "text_encoder_2", "tokenizer_2", "vae"):
        os.symlink(os.path.abspath(f"{weights}/{own.get(name, name)}"), f"{folder}/{name}")
    return folder


def unit(pictures):
    return torch.from_numpy(np.stack(pictures)).float().div(255)


def psnr(made, wanted):
    return round((-10 * torch.log10((made - wanted).square().mean((1, 2, 3)))).mean().item(), 2)


def sharpness(x):
    """Mean difference between neighbouring pixels, in levels of 255."""
    return round(((x.diff(dim=1).abs().mean() + x.diff(dim=2).abs().mean()) / 2 * 255).item(), 3)


@torch.no_grad()
def main(weights, out):
    torch.manual_seed(3)
    tokens, vae, rng = Tokens(weights), load_vae(f"{weights}/vae"), np.random.default_rng(11)
    parts = load_parts(weights, tokens)
    drawn = [render(np.random.default_rng([8, i]), degraded=False) for i in range(FRESH)]
    pictures, texts = [picture for picture, _ in drawn], [caption(label, rng) for _, label in drawn]
    wanted, clean = unit(pictures), encode(vae, pictures)
    decode = lambda z: torch.cat([vae.decode(part / LATENT_SCALE).sample for part in z.split(4)]).clamp(-1, 1).add(1).div(2).permute(0, 2, 3, 1)
    pipeline = StableDiffusionXLImg2ImgPipeline.from_pretrained(assemble(weights, tempfile.mkdtemp()), torch_dtype=torch.float32, add_watermarker=False)
    assert pipeline.config.requires_aesthetics_score and pipeline.text_encoder is None
    pipeline.set_progress_bar_config(disable=True)
    ids = tokens(texts)
    cond, pooled = (part.float() for part in second_text(parts, ids, tokens.end))
    base_cond, base_pooled = encode_text(parts, ids, tokens.end)

    def refine(score):
        sizes = torch.tensor([[256., 256., 0, 0, score]]).repeat(FRESH, 1)
        return lambda x, t: pipeline.unet(x, t, cond, added_cond_kwargs=dict(text_embeds=pooled, time_ids=sizes)).sample

    sizes = torch.tensor([[256., 256., 0, 0, 256., 256.]]).repeat(FRESH, 1)
    base = lambda x, t: parts.unet(x, t, base_cond, added_cond_kwargs=dict(text_embeds=base_pooled, time_ids=sizes)).sample
    noise = torch.randn(clean.shape)
    noised = lambda z: KEPT[T].sqrt() * z + (1 - KEPT[T]).sqrt() * noise
    spoilt_pictures = [spoil(picture, .6, rng) for picture in pictures]
    again = drawn_again(parts, tokens, clean, texts, rng)
    answer, rows = dict(fresh=FRESH, t=T, steps=len(STEPS), render_sharpness=sharpness(wanted)), [wanted]
    tell = lambda x: dict(psnr=psnr(x, wanted), sharpness=sharpness(x))
    for name, z in (("clean", clean), ("spoilt", encode(vae, spoilt_pictures)), ("drawn again", again)):
        x, row = noised(z), {}
        made = {"as it is": decode(z), "noised": decode(x), "base": decode(denoise(base, x, STEPS)),
                "refiner, score 6.5": decode(denoise(refine(6.5), x, STEPS)), "refiner, score 2.5": decode(denoise(refine(2.5), x, STEPS))}
        answer[name] = {what: tell(picture) for what, picture in made.items()}
        rows += [made["as it is"], made["base"], made["refiner, score 6.5"]]
        print(name, answer[name], flush=True)
    given = [Image.fromarray(picture) for picture in spoilt_pictures]
    for guidance in (1., 3.):
        call = dict(strength=.3, num_inference_steps=20, guidance_scale=guidance, aesthetic_score=6.5, negative_aesthetic_score=2.5, output_type="np")
        made = torch.from_numpy(np.concatenate([pipeline(prompt=texts[i:i + 8], image=given[i:i + 8], generator=torch.Generator().manual_seed(5), **call).images for i in range(0, FRESH, 8)]))
        answer[f"img2img of the spoilt in diffusers, guidance {guidance:.0f}"] = tell(made)
        rows.append(made)
    answer["the spoilt itself"] = tell(unit(spoilt_pictures))
    os.makedirs(out, exist_ok=True)
    json.dump(answer, open(f"{out}/refiner.json", "w"), indent=1)
    sheet = np.concatenate([np.concatenate(list(row[:6].mul(255).round().byte().numpy()), 1) for row in rows], 0)
    Image.fromarray(sheet).save(f"{out}/refiner.png")
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:3])
