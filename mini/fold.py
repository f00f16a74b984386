"""Folds the mean and spread of every latent channel into the two 1x1 convolutions around the latents.

    python fold.py DATA VAE_FOLDER OUT_FOLDER

Afterwards latents * 0.13025 have mean 0 and deviation 1 in every channel, and pictures decode as before. Without it one
channel would be five times louder than its neighbours, and the denoiser would hear little else.
"""
import sys
import numpy as np, torch
from diffusers import AutoencoderKL
from model import LATENT_SCALE
from train_vae import pixels_to_unit


@torch.no_grad()
def main(data, source, out):
    vae = AutoencoderKL.from_pretrained(source).eval()
    x = pixels_to_unit(np.load(f"{data}/pictures.npy", mmap_mode="r")[:256])
    encode = lambda x: torch.cat([vae.encode(part).latent_dist.mode() for part in x.split(16)])
    before = encode(x)
    mean, spread = before.mean((0, 2, 3)), before.std((0, 2, 3))
    print("mean", mean.tolist(), "deviation", spread.tolist())
    wanted, scale = vae.decode(before[:2]).sample, spread * LATENT_SCALE  # folded latent = (latent - mean) / scale
    into, back = vae.quant_conv, vae.post_quant_conv
    into.weight[:4] /= scale[:, None, None, None]
    into.bias[:4] = (into.bias[:4] - mean) / scale
    into.bias[4:] -= 2 * scale.log()
    back.bias += back.weight[:, :, 0, 0] @ mean
    back.weight *= scale[None, :, None, None]
    after = encode(x[:64])
    print("folded mean", (after * LATENT_SCALE).mean((0, 2, 3)).tolist(), "deviation", (after * LATENT_SCALE).std((0, 2, 3)).tolist(),
          "largest change", (vae.decode(after[:2]).sample - wanted).abs().max().item())
    vae.save_pretrained(out)


if __name__ == "__main__":
    main(*sys.argv[1:4])
