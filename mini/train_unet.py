"""Trains denoiser and both text encoders together, from nothing, by v-prediction.

    python train_unet.py DATA TOKENIZERS VAE OUT --deadline 15:50 [--seconds 3300] [--early .4]

First on latents of the pictures at half size, then at full size; SDXL's own size numbers (time_ids) tell the net which.
The first stage sees three times as many pictures a second, and learns words and layouts there.
OUT/unet.pt holds weights, running average, optimiser and seconds used: start the same command again to go on.
"""
import argparse, json, os, time
import numpy as np, torch, torch.nn.functional as F
from captions import caption
from model import LATENT_SCALE, PROMPTS, SCHEDULE, Tokens, build, load_vae, plain_attention, predict, sample, sheet
from pace import Pace, seconds_until
from train_vae import HELD_OUT, pixels_to_unit

CAPTIONS = 8  # ways to say each picture, drawn beforehand


@torch.no_grad()
def latents(data, vae, edge_px, count, file, pace):
    """Encodes the set once and keeps it: eight kilobytes a picture."""
    pictures = np.load(f"{data}/pictures.npy", mmap_mode="r")
    if os.path.exists(file):
        return torch.from_numpy(np.load(file)[:count])
    done, started = [], time.time()
    for low in range(0, count, 16):
        pace.tick()
        x = pixels_to_unit(pictures[low:min(low + 16, count)])
        if edge_px < 256: x = F.avg_pool2d(x, 256 // edge_px)
        with torch.autocast("cpu", torch.bfloat16):
            done.append((vae.encode(x).latent_dist.mode().float() * LATENT_SCALE).half())
    done = torch.cat(done)
    np.save(file, done.numpy())
    print(f"encoded {count} at {edge_px} px in {time.time() - started:.0f}s, deviation {done.float().std((0, 2, 3)).tolist()}", flush=True)
    return done


def box_weights(labels, cells):
    """How much each latent cell counts: the thing's box three times, for it is a tenth of the picture and what one asks for."""
    weights = torch.ones(len(labels), cells, cells, dtype=torch.uint8)
    for i, label in enumerate(labels):
        if label["box"]:
            left, top, right, bottom = (int(round(edge * cells)) for edge in label["box"])
            weights[i, max(0, top):bottom, max(0, left):right] = 3
    return weights


def main():
    ask = argparse.ArgumentParser()
    for name in ("data", "tokenizers", "vae", "out"): ask.add_argument(name)
    ask.add_argument("--deadline"); ask.add_argument("--seconds", type=float)
    ask.add_argument("--early", type=float, default=.42, help="share of the time spent at half size")
    ask.add_argument("--count", type=int, help="use only the first pictures of the set")
    ask.add_argument("--large", type=int, default=8000, help="pictures to encode at full size; the encoder takes half a minute a thousand")
    ask.add_argument("--rate", type=float, default=1.2e-3)
    ask.add_argument("--batches", type=int, nargs=2, default=(32, 16)); ask.add_argument("--seed", type=int, default=0)
    a = ask.parse_args()
    torch.manual_seed(a.seed)
    pace = Pace()
    os.makedirs(a.out, exist_ok=True)
    tokens, vae, labels = Tokens(a.tokenizers), load_vae(a.vae), json.load(open(f"{a.data}/labels.json"))
    count = (a.count or len(labels)) - (0 if a.count else HELD_OUT)
    labels = labels[:count]
    stages = []
    for edge_px, batch in zip((128, 256), a.batches):
        if edge_px == 256 and a.early >= 1: break
        stages.append((edge_px, batch, latents(a.data, vae, edge_px, count if edge_px < 256 else min(count, a.large), f"{a.out}/latents_{edge_px}.npy", pace), box_weights(labels, edge_px // 8)))
    rng = np.random.default_rng([a.seed, 3])
    ids = torch.stack([tokens([caption(label, rng) for label in labels]).short() for _ in range(CAPTIONS)])
    empty = tokens([""])[0]
    parts = build(tokens)
    plain_attention(parts)
    optimiser = torch.optim.AdamW(parts.parameters(), lr=a.rate, betas=(.9, .98), weight_decay=.01, fused=True)
    average = {name: p.detach().clone() for name, p in parts.state_dict().items()}
    step, used, file, log = 0, 0., f"{a.out}/unet.pt", []
    if os.path.exists(file):
        saved = torch.load(file, weights_only=False)
        parts.load_state_dict(saved["weights"]); average = saved["average"]
        optimiser.load_state_dict(saved["optimiser"])
        step, used, log = saved["step"], saved["used"], saved["log"]
        torch.manual_seed(a.seed + step)  # or a run that goes on would draw its first batches again
    left = min(a.seconds - used if a.seconds else 1e9, seconds_until(a.deadline) if a.deadline else 1e9)
    total, started, told, saved_at, seen = used + left, time.time() - used, [], time.time(), 0
    kept = torch.cumprod(1 - torch.linspace(SCHEDULE["beta_start"] ** .5, SCHEDULE["beta_end"] ** .5, 1000) ** 2, 0)
    shown = used

    def save():
        torch.save(dict(weights=parts.state_dict(), average=average, optimiser=optimiser.state_dict(), step=step,
                        used=time.time() - started, log=log), file + ".part")
        os.replace(file + ".part", file)

    def show():
        drawn = build(tokens).eval()
        drawn.load_state_dict(average)
        edge_px = stages[-1][0] if share >= a.early else 128
        sheet(sample(drawn, vae, tokens, PROMPTS, edge_px=edge_px), f"{a.out}/step_{step}.png")

    while (share := (time.time() - started) / total) < 1:
        rate = a.rate * min(1, (step + 1) / 150) * (.03 + .97 * (1. if share < .4 else .5 * (1 + np.cos(np.pi * (share - .4) / .6))))
        for group in optimiser.param_groups:
            group["lr"] = rate
        edge_px, batch, clean, weights = stages[0] if share < a.early else stages[-1]
        i = torch.randint(0, len(clean), (batch,))
        z = clean[i].float().contiguous(memory_format=torch.channels_last)
        text = ids[torch.randint(0, CAPTIONS, (batch,)), i].long()
        text[torch.rand(batch) < .1] = empty
        # One moment from every slice of the schedule: the same mean with less scatter from batch to batch. At full size
        # more of them are noisy ones: there it is decided what stands where, which is what changes with the size.
        t = (((torch.arange(batch) + torch.rand(batch)) / batch) ** (1. if edge_px < 256 else .65) * 1000).long().clamp(max=999)
        keep = kept[t][:, None, None, None]
        # A little noise that is the same all over a channel: else the net reads the brightness off the last trace of signal.
        noise = torch.randn_like(z) + .06 * torch.randn(batch, 4, 1, 1)
        with torch.autocast("cpu", torch.bfloat16):
            made = predict(parts, keep.sqrt() * z + (1 - keep).sqrt() * noise, t, text, tokens.end, edge_px)
        error = (made.float() - (keep.sqrt() * noise - (1 - keep).sqrt() * z)).square().mean(1)
        loss = (error * weights[i]).mean()
        optimiser.zero_grad(); loss.backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.)
        optimiser.step()
        pace.tick(); step += 1; seen += batch; told.append(error.mean().item())
        if step % 5 == 0:
            hold = min(.99, 1 - 8 / (step / 2 + 8))
            with torch.no_grad():
                for name, p in parts.state_dict().items():
                    if p.is_floating_point(): average[name].lerp_(p, 1 - hold)
        if step % 100 == 0:
            log.append([step, round(time.time() - started), edge_px, batch, round(float(np.mean(told[-100:])), 4)])
            print("step %d, %ds, %d px x %d, error %.4f" % tuple(log[-1]), f"rate {rate:.5f} threads {pace.threads}", flush=True)
        if time.time() - saved_at > 120:
            save(); saved_at = time.time()
        if time.time() - started - shown > 480:
            shown = time.time() - started
            show()
    save(); show()
    print(f"done: {step} steps, {time.time() - started:.0f}s, {seen} pictures in this run")


if __name__ == "__main__":
    main()
