"""Trains the upscaler: a picture four times as wide and high, in the layout of Real-ESRGAN x4plus, only smaller.

    python train_upscaler.py VAE OUT --deadline 14:10 [--seconds 1300] [--count 176]

It learns from pictures drawn at 1024 px and from small versions of them made in four ways; one went through the autoencoder,
for that is where most of what it will be given comes from. OUT/upscaler.pt holds weights, running average, optimiser and
seconds used: start the same command again to go on. At the end the average is written to OUT/upscaler in f16.
"""
import argparse, io, json, os, time
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from PIL import Image, ImageFilter
import render
from export import save
from model import load_vae
from pace import seconds_until
from train_vae import picture_loss, pixels_to_unit

LARGE_PX, SMALL_PX, HELD_OUT = 1024, 256, 8
FEATURES, BLOCKS, GROWTH = 24, 1, 32  # all published files grow by 32, and some readers take it for granted
WAYS = ("box", "lanczos", "autoencoder", "poor")


class DenseBlock(nn.Module):
    """Five convolutions that each see all that came before."""

    def __init__(self, features, growth):
        super().__init__()
        for i in range(1, 6):
            setattr(self, f"conv{i}", nn.Conv2d(features + (i - 1) * growth, growth if i < 5 else features, 3, 1, 1))

    def forward(self, x):
        seen = [x]
        for i in range(1, 5):
            seen.append(F.leaky_relu(getattr(self, f"conv{i}")(torch.cat(seen, 1)), .2))
        return x + .2 * self.conv5(torch.cat(seen, 1))


class Block(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        for i in range(1, 4):
            setattr(self, f"rdb{i}", DenseBlock(features, growth))

    def forward(self, x):
        return x + .2 * self.rdb3(self.rdb2(self.rdb1(x)))


class Upscaler(nn.Module):
    """(n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w)."""

    def __init__(self, features=FEATURES, blocks=BLOCKS, growth=GROWTH):
        super().__init__()
        conv = lambda a, b: nn.Conv2d(a, b, 3, 1, 1)
        self.conv_first, self.body = conv(3, features), nn.Sequential(*[Block(features, growth) for _ in range(blocks)])
        self.conv_body, self.conv_up1, self.conv_up2, self.conv_hr = (conv(features, features) for _ in range(4))
        self.conv_last = conv(features, 3)

    def forward(self, x):
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        for up in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(up(F.interpolate(x, scale_factor=2, mode="nearest")), .2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), .2))


@torch.no_grad()
def start_bilinear(net):
    """Leads the three colours through the net, blurred a little at both enlargements: untrained it already enlarges."""
    smooth = torch.tensor([1., 2., 1.]).outer(torch.tensor([1., 2., 1.])) / 16
    here = torch.zeros(3, 3); here[1, 1] = 1.
    for conv, kernel in ((net.conv_first, here), (net.conv_up1, smooth), (net.conv_up2, smooth), (net.conv_hr, here), (net.conv_last, here)):
        for channel in range(3):
            conv.weight[channel] = 0.; conv.bias[channel] = 0.
            conv.weight[channel, channel] = kernel
    net.conv_body.weight.mul_(.1)
    for name, p in net.body.named_parameters():
        if name.endswith("weight"): p.mul_(.5)  # long sums of residuals start small


def poor(picture, rng):
    """A small version as the world has them: a little out of focus, grainy, squeezed."""
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 3.2))).resize((SMALL_PX, SMALL_PX), Image.BICUBIC)
    grain = np.asarray(picture, np.float32) + rng.normal(0, rng.uniform(0, 5), (SMALL_PX, SMALL_PX, 3))
    squeezed = io.BytesIO()
    Image.fromarray(grain.round().clip(0, 255).astype(np.uint8)).save(squeezed, "JPEG", quality=int(rng.integers(45, 96)))
    return Image.open(squeezed)


@torch.no_grad()
def pairs(vae, count, file):
    """Draws the set once and keeps it: bytes (count, 1024, 1024, 3) and (4, count, 256, 256, 3)."""
    if os.path.exists(file):
        kept = np.load(file)
        return kept["large"], kept["small"]
    render.set_edge(LARGE_PX)
    started, edge = time.time(), (SMALL_PX, SMALL_PX)
    large, small = np.empty((count, LARGE_PX, LARGE_PX, 3), np.uint8), np.empty((4, count, *edge, 3), np.uint8)
    for i in range(count):
        rng = np.random.default_rng([4, i])
        large[i] = render.render(rng, degraded=False)[0]
        picture = Image.fromarray(large[i])
        for way, made in enumerate((picture.resize(edge, Image.BOX), picture.resize(edge, Image.LANCZOS), None, poor(picture, rng))):
            if made is not None: small[way, i] = np.asarray(made)
    for low in range(0, count, 8):
        with torch.autocast("cpu", torch.bfloat16):
            made = vae.decode(vae.encode(pixels_to_unit(small[0, low:low + 8])).latent_dist.mode()).sample
        small[2, low:low + 8] = made.float().clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy()
    np.savez(file, large=large, small=small)
    print(f"drew {count} pairs in {time.time() - started:.0f}s", flush=True)
    return large, small


def crops(large, small, rng, count, edge):
    """Random crops of small pictures of `edge` pixels and the same places in the large ones, both in [0, 1]."""
    given, wanted = np.empty((count, edge, edge, 3), np.uint8), np.empty((count, 4 * edge, 4 * edge, 3), np.uint8)
    for j, i in enumerate(rng.integers(0, len(large) - HELD_OUT, count)):
        y, x = rng.integers(0, SMALL_PX - edge + 1, 2)
        way = rng.choice(4, p=(.2, .15, .45, .2))
        a, b = small[way, i, y:y + edge, x:x + edge], large[i, 4 * y:4 * (y + edge), 4 * x:4 * (x + edge)]
        if rng.random() < .5: a, b = a[:, ::-1], b[:, ::-1]
        given[j], wanted[j] = a, b
    return pixels_to_unit(given) / 2 + .5, pixels_to_unit(wanted) / 2 + .5


def psnr(made, wanted):
    return (-10 * torch.log10((made.clamp(0, 1) - wanted).square().mean((1, 2, 3)))).mean().item()


@torch.no_grad()
def evaluate(weights, large, small, sheet):
    """PSNR in the middle of held-out pictures for each way of making them small: (upscaler, Lanczos)."""
    net = Upscaler().eval()
    net.load_state_dict(weights)
    wanted, answer = pixels_to_unit(large[-HELD_OUT:, 320:704, 320:704]) / 2 + .5, {}
    for way, name in enumerate(WAYS):
        given = small[way, -HELD_OUT:, 80:176, 80:176]
        plain = np.stack([np.asarray(Image.fromarray(one).resize((384, 384), Image.LANCZOS)) for one in given])
        made = torch.cat([net(part) for part in (pixels_to_unit(given) / 2 + .5).split(4)])
        plain = pixels_to_unit(plain) / 2 + .5
        answer[name] = round(psnr(made, wanted), 2), round(psnr(plain, wanted), 2)
        if name == "autoencoder":
            rows = [np.concatenate(list(part[:4].clamp(0, 1).mul(255).byte().permute(0, 2, 3, 1).numpy()), 1) for part in (plain, made, wanted)]
            Image.fromarray(np.concatenate(rows, 0)).save(sheet)
    return answer


def main():
    ask = argparse.ArgumentParser()
    ask.add_argument("vae"); ask.add_argument("out")
    ask.add_argument("--deadline"); ask.add_argument("--seconds", type=float)
    ask.add_argument("--count", type=int, default=176); ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--batch", type=int, default=8); ask.add_argument("--edge", type=int, default=24, help="of a crop of the small picture")
    ask.add_argument("--rate", type=float, default=1.5e-3)
    a = ask.parse_args()
    torch.manual_seed(0); torch.set_num_threads(a.threads)
    os.makedirs(a.out, exist_ok=True)
    large, small = pairs(load_vae(a.vae), a.count, f"{a.out}/pairs.npz")
    net = Upscaler()
    start_bilinear(net)
    net = net.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=a.rate, betas=(.9, .98), weight_decay=1e-4, fused=True)
    average, step, used, file = {name: p.detach().clone() for name, p in net.state_dict().items()}, 0, 0., f"{a.out}/upscaler.pt"
    if os.path.exists(file):
        saved = torch.load(file, weights_only=True)
        net.load_state_dict(saved["weights"]); average = saved["average"]; optimiser.load_state_dict(saved["optimiser"])
        step, used = saved["step"], saved["used"]
    rng = np.random.default_rng([6, step])
    left = min(a.seconds - used if a.seconds else 1e9, seconds_until(a.deadline) if a.deadline else 1e9)
    total, started, told, saved_at = used + left, time.time() - used, [], time.time()

    def keep():
        torch.save(dict(weights=net.state_dict(), average=average, optimiser=optimiser.state_dict(), step=step, used=time.time() - started), file + ".part")
        os.replace(file + ".part", file)

    while (share := (time.time() - started) / total) < 1:
        for group in optimiser.param_groups:
            group["lr"] = float(a.rate * min(1, (step + 1) / 100) * (.01 + .99 * .5 * (1 + np.cos(np.pi * share))))
        given, wanted = crops(large, small, rng, a.batch, a.edge)
        with torch.autocast("cpu", torch.bfloat16):
            made = net(given).float()
        loss = picture_loss(made, wanted)
        optimiser.zero_grad(); loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.); optimiser.step()
        step += 1; told.append((made.detach() - wanted).abs().mean().item())
        if step % 5 == 0:
            hold = min(.98, 1 - 10 / (step + 10))
            for name, p in net.state_dict().items():
                average[name].lerp_(p, 1 - hold)
        if step % 200 == 0:
            print(f"{step} {time.time() - started:.0f}s error {np.mean(told[-200:]):.5f}", flush=True)
        if time.time() - saved_at > 180:
            keep(); saved_at = time.time()
            print(f"{step} psnr {evaluate(average, large, small, a.out + '/upscaler.png')}", flush=True)
    keep()
    halves = {name: tensor.half().float() for name, tensor in average.items()}
    record = dict(steps=step, seconds=round(time.time() - started), parameters=sum(t.numel() for t in average.values()),
                  psnr_and_lanczos=evaluate(halves, large, small, a.out + "/upscaler.png"))
    save(f"{a.out}/upscaler", "model.safetensors", average)
    json.dump(record, open(f"{a.out}/upscaler.json", "w"), indent=1); print(record)


if __name__ == "__main__":
    main()
