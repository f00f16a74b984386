"""Write tiny random ControlNets for the tiny SDXL and SD 1.5 models, and the numbers diffusers gives for them.

    python make_controlnet.py [--seed N] [--profile dev|other] [--out DIR]      (DIR: the folder `controlnet` beside this file)
    python make_controlnet.py --manifests                                       (names and shapes of published ones, into `manifests`)

DIR/edges/          a ControlNet of `golden/models/tiny-sdxl-base`; weights are float16 values, used as float32
DIR/depth/          another, a smaller make that reads blue first; its weights are float8 values
DIR/sd15/           one of `sd15/model`
DIR/expected.*      hints, residuals, and what the UNets answer with them; latents and pictures of whole pipelines
DIR/*.png           the pictures that steer, the one that is drawn anew, and where

The zero convolutions of real ControlNets begin at zero; here they are as random as everything else, or nothing would
show. Made with diffusers 0.42.1, transformers 5.23.0 and torch 2.15.0.
"""
import argparse
import gzip
import json
import math
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy
import torch
from diffusers import (
    ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline, StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetInpaintPipeline, StableDiffusionXLControlNetPipeline, StableDiffusionXLPipeline, UNet2DConditionModel)
from PIL import Image
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
SDXL = os.path.join(HERE, "golden", "models", "tiny-sdxl-base")
SD15 = os.path.join(HERE, "sd15", "model")
PUBLISHED = os.path.join(HERE, "..", "..", "models", "src", "sdxl", "published")
PROFILES = {
    "dev": {"prompt": "a photo of a cat", "negative": "snow", "width": 64, "height": 64, "steps": 5, "sample": (2, 4, 5, 7)},
    "other": {"prompt": "two boats at dawn", "negative": None, "width": 48, "height": 80, "steps": 7, "sample": (1, 4, 9, 7)},
}


def fill(net, g, narrow):
    """Random weights of a sensible size that fit into `narrow`."""
    for name, p in net.named_parameters():
        x = torch.randn(p.shape, generator=g)
        if p.ndim == 1:
            p.copy_((0.1 * x if name.endswith("bias") else 1 + 0.2 * x).half().float())
        else:
            p.copy_((x / math.sqrt(p[0].numel())).to(narrow).float())
    return net.eval()


def save(net, folder, narrow):
    os.makedirs(folder, exist_ok=True)
    tensors = {k: v.to(torch.float16 if v.ndim == 1 else narrow).contiguous() for k, v in net.state_dict().items()}
    save_file(dict(sorted(tensors.items())), os.path.join(folder, "diffusion_pytorch_model.safetensors"))
    net.save_config(folder)


def picture(rng, width, height):
    """Soft shapes with a few hard edges: enough to see a shift of one pixel and a swap of colours."""
    y, x = numpy.mgrid[0:height, 0:width]
    planes = []
    for _ in range(3):
        fx, fy, phase = rng.uniform(0.05, 0.3, 2).tolist() + [rng.uniform(0, 6)]
        wave = 127 + 100 * numpy.sin(fx * x + fy * y + phase)
        planes.append(numpy.where(x * rng.uniform(0.3, 2) > y + rng.uniform(-9, 9), wave, 255 - wave))
    return Image.fromarray(numpy.stack(planes, 2).clip(0, 255).astype("uint8"))


def networks(out, seed):
    g = torch.Generator().manual_seed(seed)
    load = lambda folder: UNet2DConditionModel.from_pretrained(os.path.join(folder, "unet"), torch_dtype=torch.float32).eval()
    sdxl, sd15 = load(SDXL), load(SD15)
    edges = ControlNetModel.from_unet(sdxl, conditioning_embedding_out_channels=(4, 6, 8, 12), load_weights_from_unet=False)
    smaller = dict(edges.config)
    n = len(sdxl.config.block_out_channels)
    smaller.update(
        conditioning_embedding_out_channels=(4, 4, 8, 8), controlnet_conditioning_channel_order="bgr",
        down_block_types=("DownBlock2D",) * (n - 1) + ("CrossAttnDownBlock2D",), transformer_layers_per_block=(0,) * (n - 1) + (1,))
    nets = {
        "edges": (edges, torch.float16),
        "depth": (ControlNetModel.from_config(smaller), torch.float8_e4m3fn),
        "sd15": (ControlNetModel.from_unet(sd15, conditioning_embedding_out_channels=(4, 6, 8, 12), load_weights_from_unet=False), torch.float16),
    }
    for name, (net, narrow) in nets.items():
        save(fill(net, g, narrow), os.path.join(out, name), narrow)
    return sdxl, sd15, {name: net for name, (net, _) in nets.items()}, g


def answers(tensors, sdxl, sd15, nets, g, profile):
    """Hint, residuals and answer of each network, and of two together."""
    batch, channels, height, width = profile["sample"]
    facts = {}

    def ask(name, unet, names, scales, timestep):
        said = []
        for net, scale in zip(names, scales):
            down, mid = nets[net](sample, timestep, context, seen, conditioning_scale=scale, return_dict=False, **more)
            said.append((down, mid))
            if len(names) == 1:
                order = seen.flip(1) if nets[net].config.controlnet_conditioning_channel_order == "bgr" else seen
                tensors[f"{name}.hint"], tensors[f"{name}.mid"] = nets[net].controlnet_cond_embedding(order), mid
                tensors.update({f"{name}.down.{i}": x for i, x in enumerate(down)})
        down = [sum(x) for x in zip(*(down for down, _ in said))]
        mid = sum(mid for _, mid in said)
        tensors[f"{name}.out"] = unet(
            sample, timestep, context, down_block_additional_residuals=down, mid_block_additional_residual=mid, **more).sample
        facts[name] = {"nets": names, "scales": scales, "timestep": timestep}

    for name, unet, cases in [
        ("sdxl", sdxl, [("one", ["edges"], [0.8], 601), ("smaller", ["depth"], [1.0], 81), ("two", ["edges", "depth"], [0.7, 1.3], 333)]),
        ("sd15", sd15, [("old", ["sd15"], [0.9], 450)]),
    ]:
        sample = torch.randn(profile["sample"], generator=g)
        context = torch.randn((batch, 7, unet.config.cross_attention_dim), generator=g)
        seen = torch.randint(0, 256, (batch, 3, 8 * height, 8 * width), generator=g, dtype=torch.uint8)
        tensors[f"{name}.sample"], tensors[f"{name}.context"], tensors[f"{name}.picture"], more = sample, context, seen, {}
        seen = seen.float() / 255
        if unet.config.addition_embed_type:
            pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
            added = {"text_embeds": torch.randn((batch, pooled), generator=g), "time_ids": torch.tensor([[64.0, 80, 8, 0, 48, 80]] * batch)}
            tensors.update({f"{name}.{key}": value for key, value in added.items()})
            more = {"added_cond_kwargs": added}
        for case, names, scales, timestep in cases:
            ask(case, unet, names, scales, timestep)
            facts[case]["family"] = name
    return facts


def pipelines(out, tensors, nets, seed, profile):
    """Whole pictures under control."""
    rng = numpy.random.default_rng(seed)
    width, height = profile["width"], profile["height"]
    pictures = {"lines": picture(rng, width, height), "wide": picture(rng, width + 40, height - 9), "photo": picture(rng, width, height)}
    hole = numpy.zeros((height, width), "uint8")
    hole[height // 4:3 * height // 4, width // 3:] = 255
    pictures["hole"] = Image.fromarray(hole)
    for name, image in pictures.items():
        image.save(os.path.join(out, name + ".png"))
    sdxl = StableDiffusionXLPipeline.from_pretrained(SDXL, torch_dtype=torch.float32).components
    sd15 = StableDiffusionPipeline.from_pretrained(SD15, torch_dtype=torch.float32, safety_checker=None).components
    facts = {}

    def draw(name, cls, parts, family, controls, images, count=1, photo=None, mask=None, strength=None, **more):
        names = [net for net, *_ in controls]
        several = len(names) > 1
        one = lambda values: values if several else values[0]
        pipe = cls(**parts, controlnet=one([nets[net] for net in names]))
        pipe.set_progress_bar_config(disable=True)
        last = {}

        def keep(_pipe, _i, _t, found):
            last["latent"] = found["latents"].clone()
            return found

        steer = {"control_image" if photo else "image": one([[pictures[i] for i in each] if len(each) > 1 else pictures[each[0]] for each in images])}
        if photo:
            steer.update(image=pictures[photo], strength=strength)
        if mask:
            steer.update(mask_image=pictures[mask])
        many = max(len(each) for each in images)
        prompt = profile["prompt"] if many == 1 else [profile["prompt"]] * many
        negative = profile["negative"] if many == 1 else profile["negative"] and [profile["negative"]] * many
        image = pipe(
            prompt, negative_prompt=negative, num_inference_steps=profile["steps"], height=height, width=width,
            num_images_per_prompt=count, controlnet_conditioning_scale=one([scale for _, scale, _, _ in controls]),
            control_guidance_start=one([start for _, _, start, _ in controls]), control_guidance_end=one([end for *_, end in controls]),
            generator=torch.Generator().manual_seed(seed), output_type="pt", callback_on_step_end=keep, **steer, **more).images
        tensors[f"{name}.latent"], tensors[f"{name}.image"] = last["latent"], image
        facts[name] = {
            "family": family, "prompt": profile["prompt"], "negative": profile["negative"], "steps": profile["steps"], "width": width,
            "height": height, "seed": seed, "count": max(count, many), "photo": photo, "mask": mask, "strength": strength, **more,
            "controls": [{"net": net, "strength": scale, "start": start, "end": end, "images": each}
                         for (net, scale, start, end), each in zip(controls, images)]}

    xl = StableDiffusionXLControlNetPipeline
    draw("whole_way", xl, sdxl, "sdxl", [("edges", 1.0, 0.0, 1.0)], [["lines"]], guidance_scale=1.0)
    draw("part_of_the_way", xl, sdxl, "sdxl", [("edges", 0.7, 0.2, 0.8)], [["wide"]], guidance_scale=5.0)
    draw("two_nets", xl, sdxl, "sdxl", [("edges", 0.7, 0.0, 0.6), ("depth", 0.4, 0.2, 1.0)], [["lines"], ["wide"]], count=2, guidance_scale=5.0)
    draw("over_a_photo", StableDiffusionXLControlNetImg2ImgPipeline, sdxl, "sdxl", [("edges", 0.7, 0.3, 0.8)], [["lines"]],
         photo="photo", strength=0.7, guidance_scale=4.0)
    draw("in_a_hole", StableDiffusionXLControlNetInpaintPipeline, sdxl, "sdxl", [("edges", 0.9, 0.0, 0.8)], [["lines"]],
         photo="photo", mask="hole", strength=0.8, guidance_scale=5.0)
    old = {name: part for name, part in sd15.items() if name not in ("image_encoder",)}
    draw("one_picture_each", StableDiffusionControlNetPipeline, {**old, "requires_safety_checker": False}, "sd15",
         [("sd15", 0.7, 0.2, 0.8)], [["lines", "photo"]], guidance_scale=5.0)
    return facts


@torch.no_grad()
def main(out, seed, profile):
    torch.set_num_threads(1)
    os.makedirs(out, exist_ok=True)
    sdxl, sd15, nets, g = networks(out, seed)
    tensors = {}
    facts = {"seed": seed, "answers": answers(tensors, sdxl, sd15, nets, g, profile)}
    facts["pipelines"] = pipelines(out, tensors, nets, seed, profile)
    save_file(dict(sorted((k, v.contiguous()) for k, v in tensors.items())), os.path.join(out, "expected.safetensors"))
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(facts, file, indent=1, sort_keys=True)
        file.write("\n")


def manifests():
    """The published ControlNets were all made by `from_unet` of these configurations."""
    for name, config, dtype in [
        ("controlnet-sdxl", "sdxl-base-1.0/unet.json", "F32 in the plain files, F16 in the *.fp16.safetensors variant"),
        ("controlnet-sd15", "sd-v1-5/unet.json", "F32 in the plain files"),
    ]:
        with open(os.path.join(PUBLISHED, config)) as file:
            fields = {k: v for k, v in json.load(file).items() if not k.startswith("_")}
        with torch.device("meta"):
            net = ControlNetModel.from_unet(UNet2DConditionModel.from_config(fields), load_weights_from_unet=False)
        entry = {
            "config": config, "format": "diffusers", "published_dtype": dtype,
            "settings": {k: v for k, v in net.config.items() if not k.startswith("_")} | {"_class_name": "ControlNetModel"},
            "tensors": {k: list(v.shape) for k, v in net.state_dict().items()}}
        data = json.dumps(entry, indent=0, sort_keys=True, separators=(",", ":")).encode()
        with open(os.path.join(HERE, "manifests", name + ".json.gz"), "wb") as file:
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=9) as packed:
                packed.write(data)
        print(name, len(entry["tensors"]), "tensors,", sum(math.prod(s) for s in entry["tensors"].values()), "parameters")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=os.path.join(HERE, "controlnet"))
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--profile", choices=PROFILES, default="dev")
    parser.add_argument("--manifests", action="store_true")
    told = parser.parse_args()
    if told.manifests:
        manifests()
    else:
        main(told.out, told.seed, PROFILES[told.profile])
