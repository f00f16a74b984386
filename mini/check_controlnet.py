"""Does a drawing follow the edges that it is given? Measured on renders that no training saw, with diffusers' own pipeline.

    python check_controlnet.py WEIGHTS CONTROLNET OUT         OUT/controlnet.json, OUT/controlnet.png

Each render's edges are given with its own caption, with a caption of another hour, and with none; the same noise is also
drawn without edges. Drawn and given edges meet if they are within two pixels: `found` is the share of the given that were
drawn, `true` the share of the drawn that were given, `score` their harmonic mean; `away_px` is how far the nearest drawn
edge is from a given one.
"""
import json, os, sys
import cv2, numpy as np, torch
from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline
from PIL import Image
from captions import caption
from render import TIMES, render
from train_controlnet import edges

FRESH, NEAR_PX, CALL = 16, 2, dict(num_inference_steps=20, guidance_scale=4., width=256, height=256, output_type="np")


def distances(lines):
    """How far each pixel is from the next edge; an edgeless picture is as far as it is wide."""
    return cv2.distanceTransform(255 - lines, cv2.DIST_L2, 5) if lines.any() else np.full(lines.shape, float(lines.shape[1]), np.float32)


def agreement(given, drawn):
    from_drawn, from_given = distances(drawn), distances(given)
    found = (from_drawn[given > 0] <= NEAR_PX).mean()
    true = (from_given[drawn > 0] <= NEAR_PX).mean() if drawn.any() else 0.
    return found, true, 2 * found * true / max(found + true, 1e-9), from_drawn[given > 0].mean()


@torch.no_grad()
def main(weights, folder, out):
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    net = ControlNetModel.from_pretrained(folder, torch_dtype=torch.float32)
    pipeline = StableDiffusionXLControlNetPipeline.from_pretrained(weights, controlnet=net, torch_dtype=torch.float32, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    rng, drawn = np.random.default_rng(19), [render(np.random.default_rng([8, 100 + i]), degraded=False) for i in range(FRESH)]
    pictures, labels = [np.asarray(picture) for picture, _ in drawn], [label for _, label in drawn]
    given = [edges(picture, 100, 200) for picture in pictures]
    own = [caption(label, rng) for label in labels]
    later = [caption(dict(label, time=TIMES[(TIMES.index(label["time"]) + 2) % 4], stars=False, orb="none"), rng) for label in labels]
    shown = [Image.fromarray(lines).convert("RGB") for lines in given]
    noise = torch.randn(FRESH, 4, 32, 32, generator=torch.Generator().manual_seed(23))

    def draw(texts, scale):
        made = []
        for low in range(0, FRESH, 4):
            part = slice(low, low + 4)
            made += list(pipeline(prompt=texts[part], image=shown[part], latents=noise[part].clone(), controlnet_conditioning_scale=scale, **CALL).images)
        return [np.round(picture * 255).astype(np.uint8) for picture in made]

    def tell(made):
        marks = np.mean([agreement(lines, edges(picture, 100, 200)) for lines, picture in zip(given, made)], 0)
        return {name: round(float(mark), 3) for name, mark in zip(("found", "true", "score", "away_px"), marks)}

    answer, rows = dict(fresh=FRESH, near_px=NEAR_PX), [pictures, [np.asarray(lines) for lines in shown]]
    for name, texts, scale in (("without edges", own, 0.), ("own caption", own, 1.), ("own caption, strength 0.5", own, .5),
                               ("caption of another hour", later, 1.), ("no caption", [""] * FRESH, 1.)):
        made = draw(texts, scale)
        answer[name] = tell(made)
        rows.append(made)
        print(name, answer[name], flush=True)
    os.makedirs(out, exist_ok=True)
    json.dump(answer, open(f"{out}/controlnet.json", "w"), indent=1)
    sheet = np.concatenate([np.concatenate(row[:8], 1) for row in rows], 0)
    Image.fromarray(sheet).resize((sheet.shape[1] * 3 // 4, sheet.shape[0] * 3 // 4), Image.LANCZOS).save(f"{out}/controlnet.png")


if __name__ == "__main__":
    main(*sys.argv[1:4])
