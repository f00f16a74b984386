"""Write a tiny random-weight pipeline of Stable Diffusion 1.5's architecture, and the numbers diffusers gives for it.

    python make_sd15.py OUT        (OUT is the folder `sd15` beside this file)

OUT/model/          the pipeline, as diffusers saves it; weights are float16 values, used as float32
OUT/words/          embeddings of textual inversion in the two spellings that one text encoder can have
OUT/expected.*      prompts and their vectors, with and without those words; one picture with its latents

The tokenizer is that of `golden/models/tiny-sdxl-base`. Made with diffusers 0.42.1, transformers 5.23.0 and torch 2.15.0.
"""
import json
import math
import os
import sys

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TOKENIZER = os.path.join(HERE, "golden", "models", "tiny-sdxl-base", "tokenizer")
PROMPT = "a photo of a cat by the sea"


def fill(module, seed):
    """Random weights of a sensible size, none of them zero or one, so that every tensor matters."""
    g = torch.Generator().manual_seed(seed)
    for name, p in module.named_parameters():
        x = torch.randn(p.shape, generator=g)
        if p.ndim == 1:
            x = 0.1 * x if name.endswith("bias") else 1 + 0.2 * x
        elif "embedding" in name and "time" not in name:
            x = 0.5 * x
        else:
            x = x / math.sqrt(p[0].numel())
        p.copy_(x.half().float())
    return module.eval()


def pipeline(tokenizer):
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        projection_dim=32, bos_token_id=0, eos_token_id=2, pad_token_id=1))
    # transformers 5 has no level `text_model`, and diffusers' clip skip still looks for its last norm there.
    text.__dict__["text_model"] = text
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, cross_attention_dim=32,
        attention_head_dim=2, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), layers_per_block=1, norm_num_groups=4, latent_channels=4, sample_size=64,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, scaling_factor=0.18215)
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading")
    return StableDiffusionPipeline(
        vae=fill(vae, 1), text_encoder=fill(text, 2), tokenizer=tokenizer, unet=fill(unet, 3), scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)


def as_published(folder):
    """Gives the tokenizer the files that published folders have, instead of the one file of transformers 5."""
    for name in os.listdir(folder):
        os.remove(os.path.join(folder, name))
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        with open(os.path.join(TOKENIZER, name)) as source, open(os.path.join(folder, name), "w") as target:
            target.write(source.read())


@torch.no_grad()
def main(out):
    torch.set_num_threads(1)
    pipe = pipeline(CLIPTokenizer.from_pretrained(TOKENIZER))
    pipe.set_progress_bar_config(disable=True)
    model = os.path.join(out, "model")
    halves = StableDiffusionPipeline(**pipe.components, requires_safety_checker=False)
    halves.to(torch.float16).save_pretrained(model)
    halves.to(torch.float32)
    as_published(os.path.join(model, "tokenizer"))

    tensors, cases = {}, {}

    def encode(name, prompt, negative=None, clip_skip=None):
        positive, other = pipe.encode_prompt(prompt, "cpu", 1, True, negative, clip_skip=clip_skip)
        tensors[f"{name}.positive"], tensors[f"{name}.negative"] = positive, other
        cases[name] = {"prompt": prompt, "negative": negative, "clip_skip": clip_skip}

    encode("plain", PROMPT)
    encode("negative", PROMPT, "snow")
    encode("clip_skip", PROMPT, "snow", clip_skip=1)
    latents = []
    picture = pipe(
        PROMPT, negative_prompt="snow", num_inference_steps=4, guidance_scale=5.0, height=64, width=64,
        generator=torch.Generator().manual_seed(7), output_type="pt",
        callback_on_step_end=lambda p, i, t, k: latents.append(k["latents"].clone()) or k).images
    tensors["picture"], tensors["latent"] = picture, latents[-1]

    # Two spellings of textual inversion: three vectors as A1111 writes them, one as diffusers does.
    words = os.path.join(out, "words")
    os.makedirs(words, exist_ok=True)
    g = torch.Generator().manual_seed(4)
    save_file({"emb_params": torch.randn((3, 32), generator=g)}, os.path.join(words, "three.safetensors"))
    save_file({"<toy>": torch.randn((1, 32), generator=g)}, os.path.join(words, "toy.safetensors"))
    from safetensors.torch import load_file
    pipe.load_textual_inversion(load_file(os.path.join(words, "three.safetensors")), token="three")
    pipe.load_textual_inversion(load_file(os.path.join(words, "toy.safetensors")))
    encode("words", "a photo of three, <toy> by the sea", "three snow")

    save_file(dict(sorted((k, v.contiguous()) for k, v in tensors.items())), os.path.join(out, "expected.safetensors"))
    facts = {"cases": cases, "picture": {"prompt": PROMPT, "negative": "snow", "steps": 4, "guidance": 5.0, "seed": 7, "size": 64}}
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(facts, file, indent=1, sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
