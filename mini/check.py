"""Does the model draw what is asked? A small classifier, trained on the renderer's own labels, looks at the pictures.

    python check.py judge DATA VAE JUDGE.pt [--seconds 75]      trains the judge
    python check.py model FOLDER JUDGE.pt OUT [--guidance 4]    judges a model folder: OUT/check.json, OUT/check.png

Three rows, for one alone would mislead: fresh renders say whether the judge can be trusted, the same renders through the
autoencoder are the ceiling for any drawing, and 96 drawings from captions kept back in training are the answer.
"""
import argparse, json, time
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from captions import checker_prompts
from pace import Pace
from render import OBJECTS, SKIES, TERRAINS, TIMES, render
from train_vae import HELD_OUT

HEADS = dict(terrain=TERRAINS, time=TIMES, sky=SKIES, object=OBJECTS)
JUDGE_PX = 64
FRESH = 384  # renders that no training saw: another seed
UNASKED = -1  # a prompt that names no sky is not judged by its sky


class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        widths, layers = [3, 24, 48, 96, 128], []
        for a, b in zip(widths, widths[1:]):
            layers += [nn.Conv2d(a, b, 3, 2, 1), nn.GroupNorm(8, b), nn.SiLU(), nn.Conv2d(b, b, 3, 1, 1), nn.SiLU()]
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.heads = nn.Linear(128 * 16, sum(map(len, HEADS.values())))

    def forward(self, x):
        return self.heads(self.body(x)).split([len(classes) for classes in HEADS.values()], 1)


def small(pictures):
    """Bytes (n, 256, 256, 3) to bytes (n, 3, 64, 64), in portions."""
    parts = (torch.from_numpy(np.array(pictures[i:i + 256])).permute(0, 3, 1, 2).float() for i in range(0, len(pictures), 256))
    return torch.cat([F.avg_pool2d(part, part.shape[-1] // JUDGE_PX).round().byte() for part in parts])


def unit(x):
    return (x.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def truth(labels):
    return torch.tensor([[classes.index(label[head]) if label[head] is not None else UNASKED for head, classes in HEADS.items()] for label in labels])


@torch.no_grad()
def through(vae, pictures):
    made = []
    for i in range(0, len(pictures), 8):
        x = torch.from_numpy(np.array(pictures[i:i + 8])).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        with torch.autocast("cpu", torch.bfloat16):
            x = vae.decode(vae.encode(x.contiguous(memory_format=torch.channels_last)).latent_dist.mode()).sample
        made.append(x.float().clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(made)


def fresh(count=FRESH):
    drawn = [render(np.random.default_rng([2, i]), degraded=False) for i in range(count)]
    return np.stack([picture for picture, _ in drawn]), [label for _, label in drawn]


@torch.no_grad()
def accuracy(judge, x, y):
    said = [torch.cat([out.argmax(1) for out in outs]) for outs in zip(*[judge(unit(part)) for part in x.split(128)])]
    row = {}
    for j, head in enumerate(HEADS):
        asked = y[:, j] != UNASKED
        row[head] = [int((said[j] == y[:, j])[asked].sum()), int(asked.sum())]
    there = y[:, 3] > 0
    row["object asked for"] = [int((said[3] == y[:, 3])[there].sum()), int(there.sum())]
    empty = y[:, 3] == 0
    row["no object asked for"] = [int((said[3] == 0)[empty].sum()), int(empty.sum())]
    return row, torch.stack(said, 1)


def train_judge(a):
    from model import load_vae
    torch.manual_seed(1)
    pace, pictures, labels = Pace(), np.load(f"{a.data}/pictures.npy", mmap_mode="r"), json.load(open(f"{a.data}/labels.json"))
    chosen = [i for i in range(len(labels) - HELD_OUT) if not labels[i]["degraded"]][:9000]
    x, y = small(pictures[chosen[0]:chosen[-1] + 1])[torch.tensor(chosen) - chosen[0]], truth([labels[i] for i in chosen])
    # Part of what it learns from has been through the autoencoder: it shall judge shapes, not crispness.
    again = chosen[:a.through]
    soft = small(through(load_vae(a.vae), pictures[again[0]:again[-1] + 1][np.array(again) - again[0]]))
    judge = Judge().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=.05, fused=True)
    started, steps = time.time(), 0
    while (share := (time.time() - started) / a.seconds) < 1:
        for group in optimiser.param_groups: group["lr"] = 2e-3 * min(1, (steps + 1) / 50) * (.02 + .98 * .5 * (1 + np.cos(np.pi * share)))
        i, kind = torch.randint(0, len(x), (64,)), int(torch.randint(0, 3, ()))
        if kind == 0: i = i % len(soft)
        batch = unit(soft[i] if kind == 0 else x[i])
        if torch.rand(()) < .5: batch = batch.flip(-1)
        if kind == 1: batch = F.interpolate(F.interpolate(batch, size=int(torch.randint(16, 48, ())), mode="area"), size=JUDGE_PX, mode="bilinear")
        shift = torch.randint(-3, 4, (2,)).tolist()
        batch = torch.roll(F.pad(batch, (4, 4, 4, 4), mode="replicate"), shift, (2, 3))[:, :, 4:-4, 4:-4] + .03 * torch.randn_like(batch)
        with torch.autocast("cpu", torch.bfloat16): outs = judge(batch)
        loss = sum(F.cross_entropy(out.float(), y[i, j], label_smoothing=.02) for j, out in enumerate(outs))
        optimiser.zero_grad(); loss.backward(); optimiser.step(); steps += 1; pace.tick()
    judge.eval()
    new, known = fresh()
    print(steps, "steps; fresh renders:", accuracy(judge, small(new), truth(known))[0])
    torch.save(judge.state_dict(), a.judge)


def judge_model(a):
    import os
    from diffusers import AutoencoderKL
    from model import Tokens, load_parts, load_vae, sample, sheet
    judge = Judge().eval().to(memory_format=torch.channels_last)
    judge.load_state_dict(torch.load(a.judge))
    os.makedirs(a.out, exist_ok=True)
    vae, (pictures, labels), prompts = load_vae(f"{a.folder}/vae"), fresh(), checker_prompts()
    tokens = Tokens(a.folder)
    parts = load_parts(a.folder, tokens)
    drawings = sample(parts, vae, tokens, [prompt["text"] for prompt in prompts], guidance=a.guidance, steps=20, seed=7)
    soft = through(vae, pictures)
    rows = {"fresh renders": accuracy(judge, small(pictures), truth(labels))[0],
            "the same through the autoencoder": accuracy(judge, small(soft), truth(labels))[0]}
    rows["drawings from kept-back captions"], said = accuracy(judge, small(drawings), truth(prompts))
    psnr = float(np.mean(10 * np.log10(255 ** 2 / np.maximum(1e-9, ((soft.astype(np.float32) - pictures) ** 2).mean((1, 2, 3))))))
    columns = list(next(iter(rows.values())))
    print("| | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 1))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{right / max(1, of):.3f} ({right} of {of})" for right, of in row.values()) + " |")
    print(f"autoencoder on fresh renders: {psnr:.1f} dB")
    # Which terrain or thing fails, so that the next training knows what to draw more often.
    wrong = [dict(text=p["text"], **{head: [p[head], HEADS[head][int(s[j])]] for j, head in enumerate(HEADS) if p[head] is not None and HEADS[head][int(s[j])] != p[head]})
             for p, s in zip(prompts, said)]
    by_thing = {}
    for p, s in zip(prompts, said):
        right, of = by_thing.get(p["object"], (0, 0))
        by_thing[p["object"]] = (right + (OBJECTS[int(s[3])] == p["object"]), of + 1)
    json.dump(dict(guidance=a.guidance, steps=20, seed=7, autoencoder_psnr=round(psnr, 2), rows=rows, by_object=by_thing, wrong=[w for w in wrong if len(w) > 1]), open(f"{a.out}/check.json", "w"), indent=1)
    sheet(drawings, f"{a.out}/check.png", columns=12, cell_px=128)


if __name__ == "__main__":
    ask = argparse.ArgumentParser()
    jobs = ask.add_subparsers(required=True)
    job = jobs.add_parser("judge"); job.set_defaults(do=train_judge)
    for name in ("data", "vae", "judge"): job.add_argument(name)
    job.add_argument("--seconds", type=float, default=75); job.add_argument("--through", type=int, default=2000)
    job = jobs.add_parser("model"); job.set_defaults(do=judge_model)
    for name in ("folder", "judge", "out"): job.add_argument(name)
    job.add_argument("--guidance", type=float, default=4.)
    a = ask.parse_args()
    a.do(a)
