"""How do latents become a small picture without the decoder? A linear map, fitted by least squares.

    python fit_preview.py WEIGHTS          prints a row a channel, the bias, and how well it fits

A pixel of a latent stands for 8x8 pixels: its four channels are held against the mean colour (-1 to 1) of those. 96 fresh
renders for the fit, 32 others for the figures; the embedded model's factors in `nodes/src/models/mini.rs` come from here.
With the weights of 20 November 2026: 31.1 dB and a correlation of 0.994 on the 32.
"""
import sys
import numpy as np, torch
import torch.nn.functional as F
from model import LATENT_SCALE, load_vae
from render import render

FITTED, HELD_OUT = 96, 32


def pixels(count, first):
    drawn = [render(np.random.default_rng([9, first + i]), degraded=False)[0] for i in range(count)]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def pairs(vae, pictures):
    """Latents with a 1 beside their channels, and the colours that they stand for; a row a pixel of a latent."""
    latents = torch.cat([vae.encode(part).latent_dist.mean for part in pictures.split(8)]) * LATENT_SCALE
    rows = lambda x: x.permute(0, 2, 3, 1).flatten(0, 2).double()
    latents = rows(latents)
    return torch.cat([latents, torch.ones_like(latents[:, :1])], 1), rows(F.avg_pool2d(pictures, 8))


def main(weights):
    vae = load_vae(f"{weights}/vae")
    latents, colours = pairs(vae, pixels(FITTED, 0))
    factors = torch.linalg.lstsq(latents, colours).solution
    for name, row in zip([f"channel {i}" for i in range(4)] + ["bias"], factors.tolist()):
        print(f"{name}: [{', '.join(f'{value:.4f}' for value in row)}]")
    latents, colours = pairs(vae, pixels(HELD_OUT, FITTED))
    made = (latents @ factors).clamp(-1, 1)
    psnr = -10 * torch.log10(((made - colours) / 2).square().mean())
    alike = torch.corrcoef(torch.stack([made.flatten(), colours.flatten()]))[0, 1]
    print(f"{psnr:.1f} dB, correlation {alike:.4f} on {HELD_OUT} others")


if __name__ == "__main__":
    main(sys.argv[1])
