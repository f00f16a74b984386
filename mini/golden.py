"""Records what diffusers itself draws with the exported folder, step by step: the parity test holds darkroom against it.

    python golden.py WEIGHTS OUT        OUT/landscape.safetensors and OUT/landscape.json, OUT/refiner.safetensors,
                                        OUT/control.safetensors and OUT/control.json
"""
import json, os, sys
import cv2, diffusers, numpy as np, torch, transformers
from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file

CALL = dict(prompt="a serene landscape with mountains and a lake at sunset", seed=20, width=256, height=256, steps=8, guidance=4.)
CONTROL = dict(prompt="a house in the desert at sunset", picture="house.png", low=50, high=100, seed=22, steps=4, guidance=4., strength=.8)


@torch.no_grad()
def control(weights, out):
    """Four steps along the edges of a picture of `graphs/pictures`."""
    torch.set_num_threads(1)
    net = ControlNetModel.from_pretrained(f"{weights}/controlnet", torch_dtype=torch.float32)
    pipeline = StableDiffusionXLControlNetPipeline.from_pretrained(weights, controlnet=net, torch_dtype=torch.float32, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    picture = Image.open(f"{os.path.dirname(os.path.abspath(__file__))}/../graphs/pictures/{CONTROL['picture']}").convert("RGB")
    edges = cv2.Canny(np.asarray(picture), CONTROL["low"], CONTROL["high"])
    noise = torch.randn(1, 4, picture.height // 8, picture.width // 8, generator=torch.Generator().manual_seed(CONTROL["seed"]))
    steps = []

    def keep(_, index, t, values):
        steps.append(values["latents"].clone())
        return {}

    pipeline(prompt=CONTROL["prompt"], image=Image.fromarray(edges).convert("RGB"), width=picture.width, height=picture.height,
             num_inference_steps=CONTROL["steps"], guidance_scale=CONTROL["guidance"], latents=noise,
             controlnet_conditioning_scale=CONTROL["strength"], output_type="latent", callback_on_step_end=keep)
    save_file(dict(latents=torch.cat(steps).contiguous()), f"{out}/control.safetensors")
    os.chmod(f"{out}/control.safetensors", 0o644)
    json.dump(CONTROL, open(f"{out}/control.json", "w"), indent=1)


@torch.no_grad()
def refiner(weights, out):
    """What the refiner's denoiser answers to two pictures of one size with different scores."""
    net = UNet2DConditionModel.from_pretrained(f"{weights}/refiner/unet", torch_dtype=torch.float32)
    draw = torch.Generator().manual_seed(21)
    width = net.config.cross_attention_dim
    asked = dict(sample=torch.randn(2, 4, 12, 16, generator=draw), context=torch.randn(2, 77, width, generator=draw),
                 pooled=torch.randn(2, width, generator=draw), timestep=torch.tensor([201.]),
                 time_ids=torch.tensor([[96., 128., 0., 0., 6.], [96., 128., 0., 0., 2.5]]))
    answer = net(asked["sample"], asked["timestep"][0], asked["context"], added_cond_kwargs=dict(text_embeds=asked["pooled"], time_ids=asked["time_ids"])).sample
    save_file(dict(asked, answer=answer.contiguous()), f"{out}/refiner.safetensors")
    os.chmod(f"{out}/refiner.safetensors", 0o644)


@torch.no_grad()
def main(weights, out):
    torch.set_num_threads(1)  # the order of sums depends on it, and with it the last bits
    pipeline = StableDiffusionXLPipeline.from_pretrained(weights, torch_dtype=torch.float32, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, CALL["height"] // 8, CALL["width"] // 8, generator=torch.Generator().manual_seed(CALL["seed"]))
    cond, negative, pooled, negative_pooled = pipeline.encode_prompt(CALL["prompt"], device="cpu", do_classifier_free_guidance=True)
    steps = []

    def keep(_, index, t, values):
        steps.append(values["latents"].clone())
        return {}

    image = pipeline(prompt=CALL["prompt"], width=CALL["width"], height=CALL["height"], num_inference_steps=CALL["steps"],
                     guidance_scale=CALL["guidance"], latents=noise.clone(), output_type="pt", callback_on_step_end=keep).images
    os.makedirs(out, exist_ok=True)
    tensors = dict(noise=noise, latents=torch.cat(steps), image=image, cond=cond, cond_negative=negative, pooled=pooled, pooled_negative=negative_pooled)
    save_file({name: tensor.contiguous().float() for name, tensor in tensors.items()}, f"{out}/landscape.safetensors")
    os.chmod(f"{out}/landscape.safetensors", 0o644)
    note = dict(CALL, negative_prompt=None, noise="torch.randn on the CPU generator, before multiplying by init_noise_sigma",
                latents="after each step, in order", image="NCHW from 0 to 1", dtype="float32 arithmetic on the f16 weights",
                timesteps=[float(t) for t in pipeline.scheduler.timesteps], sigmas=[float(s) for s in pipeline.scheduler.sigmas],
                init_noise_sigma=float(pipeline.scheduler.init_noise_sigma), time_ids=[CALL["height"], CALL["width"], 0, 0, CALL["height"], CALL["width"]],
                prompt_ids=pipeline.tokenizer(CALL["prompt"], padding="max_length", max_length=77).input_ids,
                prompt_ids_2=pipeline.tokenizer_2(CALL["prompt"], padding="max_length", max_length=77).input_ids,
                versions=dict(torch=torch.__version__, diffusers=diffusers.__version__, transformers=transformers.__version__))
    json.dump(note, open(f"{out}/landscape.json", "w"), indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:3])
    refiner(*sys.argv[1:3])
    control(*sys.argv[1:3])
