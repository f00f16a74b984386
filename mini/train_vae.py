"""Trains the autoencoder (8 pixels to one latent cell, 4 channels), in the layout of SDXL's.

    python train_vae.py DATA OUT --deadline 14:55 [--seconds 1500] [--freeze-encoder]

OUT/vae.pt holds weights, their running average, the optimiser and the seconds trained; a killed run goes on from there.
The schedule follows the share of time used: other work on the machine slows the run but never cuts its cosine short.
"""
import argparse, json, os, time
import numpy as np, torch, torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image
from pace import Pace, seconds_until

HELD_OUT = 256  # the last pictures of the set are never trained on
CONFIG = dict(in_channels=3, out_channels=3, down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
              # Two norm groups: in eight, a group is two channels, and the norm wipes out the flat colours of our paper.
              block_out_channels=(16, 32, 64, 64), layers_per_block=1, latent_channels=4, norm_num_groups=2, sample_size=256,
              scaling_factor=.13025)


def pixels_to_unit(array):
    return torch.from_numpy(np.ascontiguousarray(array)).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def crops(pictures, rng, count, edge):
    """Random crops; every fourth from the picture at half its size, for the denoiser's first stage sees those."""
    out = np.empty((count, edge, edge, 3), np.uint8)
    for j, i in enumerate(rng.integers(0, len(pictures) - HELD_OUT, count)):
        half = j % 4 == 3 and edge <= 128
        reach = edge * (2 if half else 1)
        y, x = rng.integers(0, 256 - reach + 1, 2)
        crop = pictures[i, y:y + reach, x:x + reach]
        out[j] = crop.reshape(edge, 2, edge, 2, 3).mean((1, 3)) if half else crop
        if rng.random() < .5:
            out[j] = out[j, :, ::-1]
    return pixels_to_unit(out)


def picture_loss(made, wanted):
    """Colours, and edges at three sizes: the edge terms are what keeps roofs and masts from melting."""
    loss = (made - wanted).abs().mean()
    for _ in range(3):
        for dim in (2, 3):
            loss = loss + .5 * (made.diff(dim=dim) - wanted.diff(dim=dim)).abs().mean()
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
    return loss


@torch.no_grad()
def evaluate(weights, pictures, sheet):
    vae = AutoencoderKL(**CONFIG).eval()
    vae.load_state_dict(weights)
    x = pixels_to_unit(pictures[len(pictures) - 32:])
    z = torch.cat([vae.encode(part).latent_dist.mode() for part in x.split(8)])
    y = torch.cat([vae.decode(part).sample for part in z.split(8)]).clamp(-1, 1)
    psnr = (10 * torch.log10(4 / (y - x).square().mean((1, 2, 3)))).mean().item()
    rows = [np.concatenate(list(part[:8].add(1).mul(127.5).byte().permute(0, 2, 3, 1).numpy()), 1) for part in (x, y)]
    Image.fromarray(np.concatenate(rows, 0)).save(sheet)
    return psnr


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("data"); ask.add_argument("out")
    ask.add_argument("--deadline"); ask.add_argument("--seconds", type=float)
    ask.add_argument("--freeze-encoder", action="store_true", help="polish the decoder while the denoiser trains on frozen latents")
    ask.add_argument("--rate", type=float, default=2.5e-3);
    ask.add_argument("--from", dest="start", help="start from these folded weights (a diffusers folder)")
    a = ask.parse_args()
    torch.manual_seed(0)
    pace = Pace()
    os.makedirs(a.out, exist_ok=True)
    pictures = np.load(f"{a.data}/pictures.npy", mmap_mode="r")
    vae = AutoencoderKL(**CONFIG) if not a.start else AutoencoderKL.from_pretrained(a.start)
    vae = vae.to(memory_format=torch.channels_last)
    if a.freeze_encoder:
        vae.encoder.requires_grad_(False); vae.quant_conv.requires_grad_(False)
    trained = [p for p in vae.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=a.rate, betas=(.9, .95), weight_decay=1e-3, fused=True)
    average = {name: p.detach().clone() for name, p in vae.state_dict().items()}
    step, used, file = 0, 0., f"{a.out}/vae.pt"
    if os.path.exists(file):
        saved = torch.load(file, weights_only=False)
        vae.load_state_dict(saved["weights"]); average = saved["average"]; optimiser.load_state_dict(saved["optimiser"])
        step, used = saved["step"], saved["used"]
    torch.manual_seed(step)  # by step, or a run that goes on would draw its first batches again
    rng = np.random.default_rng([0, step])
    # Train as long as is left of what was asked for, or until the deadline: whichever comes first ends the cosine.
    left = min(a.seconds - used if a.seconds else 1e9, seconds_until(a.deadline) if a.deadline else 1e9)
    total, started, told, saved_at = used + left, time.time() - used, [], time.time()

    def forward(x):
        with torch.autocast("cpu", torch.bfloat16):
            if a.freeze_encoder:
                with torch.no_grad():
                    mean = vae.encode(x).latent_dist.mode().float()
                return vae.decode(mean).sample.float(), mean, None
            spread = vae.encode(x).latent_dist
            mean, logvar = spread.mean.float(), spread.logvar.float()
            return vae.decode(mean + torch.exp(.5 * logvar) * torch.randn_like(mean)).sample.float(), mean, logvar

    def save():
        torch.save(dict(weights=vae.state_dict(), average=average, optimiser=optimiser.state_dict(), step=step, used=time.time() - started), file + ".part")
        os.replace(file + ".part", file)

    while (share := (time.time() - started) / total) < 1:
        rate = a.rate * min(1, (step + 1) / 100) * (.02 + .98 * .5 * (1 + np.cos(np.pi * share)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        # Small crops first, for steps are what a fresh net lacks; whole pictures last, for the norms see other sums there.
        x = crops(pictures, rng, *((10, 64) if share < .62 else (5, 128) if share < .9 else (2, 256)))
        made, mean, logvar = forward(x)
        loss = picture_loss(made, x)
        if not a.freeze_encoder:
            loss = loss + 1e-5 * .5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
            # The first half is also asked for a thumbnail in the latents: without it the net stays grey for long.
            small = F.avg_pool2d(x, 8)
            loss = loss + max(0., 1 - share / .5) * ((mean[:, :3] - small).abs().mean() + F.l1_loss(F.avg_pool2d(made, 8), small))
        optimiser.zero_grad(); loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.); optimiser.step()
        pace.tick(); step += 1; told.append((made.detach() - x).abs().mean().item())
        if step % 5 == 0:
            keep = min(.98, 1 - 10 / (step + 10))
            for name, p in vae.state_dict().items():
                average[name].lerp_(p, 1 - keep)
        if step % 200 == 0:
            print(f"{step} {time.time() - started:.0f}s error {np.mean(told[-200:]):.4f} rate {rate:.5f} threads {pace.threads}", flush=True)
        if time.time() - saved_at > 120:
            save(); saved_at = time.time()
            print(f"{step} psnr {evaluate(average, pictures, a.out + '/vae.png'):.2f}", flush=True)
    save()
    psnr = evaluate(average, pictures, a.out + "/vae.png")
    vae.load_state_dict(average); vae.save_pretrained(f"{a.out}/vae")
    record = dict(steps=step, seconds=round(time.time() - started), psnr=round(psnr, 2))
    json.dump(record, open(f"{a.out}/vae.json", "w")); print(record)


if __name__ == "__main__":
    main()
