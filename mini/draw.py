"""Draws with an exported folder: the sheet of sixteen prompts, or prompts of your own.

    python draw.py WEIGHTS sheet.png [PROMPT …] [--seed 1] [--guidance 4] [--negative TEXT]
"""
import argparse
from model import PROMPTS, Tokens, load_parts, load_vae, sample, sheet

if __name__ == "__main__":
    ask = argparse.ArgumentParser()
    ask.add_argument("weights"); ask.add_argument("out"); ask.add_argument("prompts", nargs="*")
    ask.add_argument("--seed", type=int, default=1); ask.add_argument("--guidance", type=float, default=4.)
    ask.add_argument("--steps", type=int, default=20); ask.add_argument("--negative", default="")
    a = ask.parse_args()
    tokens = Tokens(a.weights)
    pictures = sample(load_parts(a.weights, tokens), load_vae(f"{a.weights}/vae"), tokens, a.prompts or PROMPTS,
                      guidance=a.guidance, steps=a.steps, seed=a.seed, negative=a.negative)
    sheet(pictures, a.out, columns=min(4, len(pictures)), cell_px=256 if len(pictures) <= 4 else 200)
