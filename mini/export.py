"""Writes the model as a diffusers folder, in f16, with the tensor names of published SDXL folders.

    python export.py UNET.pt TOKENIZERS VAE OUT
"""
import json, os, re, shutil, sys
import torch
from diffusers import EulerDiscreteScheduler
from safetensors.torch import load_file, save_file
from model import SCHEDULE, Tokens, build, load_vae


def save(folder, name, tensors):
    os.makedirs(folder, exist_ok=True)
    halves = {key: tensor.contiguous().half() if tensor.is_floating_point() else tensor for key, tensor in sorted(tensors.items())}
    save_file(halves, f"{folder}/{name}", metadata={"format": "pt"})
    os.chmod(f"{folder}/{name}", 0o644)
    return sum(tensor.nbytes for tensor in halves.values())


def text_tensors(encoder):
    """transformers 5 saves one of the two towers without `text_model.`; published files have it in both."""
    named = {}
    for key, tensor in encoder.state_dict().items():
        if key.endswith("position_ids"): continue
        named[key if key.startswith(("text_model.", "text_projection.")) else f"text_model.{key}"] = tensor
    return named


def tidy(config):
    """A config without what only says where it was made."""
    return {key: value for key, value in config.items() if key not in ("_name_or_path", "transformers_version", "output_hidden_states", "return_dict", "is_encoder_decoder", "chunk_size_feed_forward", "problem_type", "id2label", "label2id", "output_attentions")}


def main(weights, tokenizers, vae_folder, out):
    tokens, new = Tokens(tokenizers), out + ".new"
    shutil.rmtree(new, ignore_errors=True)
    parts, vae = build(tokens), load_vae(vae_folder)
    parts.load_state_dict(torch.load(weights, weights_only=False)["average"])
    size = 0
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(f"{tokenizers}/{name}", f"{new}/{name}")
    for name, part, file in (("unet", parts.unet, "diffusion_pytorch_model.safetensors"), ("vae", vae, "diffusion_pytorch_model.safetensors"),
                             ("text_encoder", parts.text_encoder, "model.safetensors"), ("text_encoder_2", parts.text_encoder_2, "model.safetensors")):
        size += save(f"{new}/{name}", file, text_tensors(part) if name.startswith("text") else part.state_dict())
        config = json.loads(part.config.to_json_string()) if name.startswith("text") else json.loads(part.to_json_string())
        if name.startswith("text"):
            config["architectures"] = [type(part).__name__]; config.pop("dtype", None); config["torch_dtype"] = "float16"
        json.dump(tidy(config), open(f"{new}/{name}/config.json", "w"), indent=2)
    EulerDiscreteScheduler(**SCHEDULE).save_pretrained(f"{new}/scheduler")
    pair = lambda library, kind: [library, kind]
    json.dump(dict(
        _class_name="StableDiffusionXLPipeline", _diffusers_version="0.42.1",
        force_zeros_for_empty_prompt=False,  # trained with the encoded empty caption as its unconditional half
        scheduler=pair("diffusers", "EulerDiscreteScheduler"), text_encoder=pair("transformers", "CLIPTextModel"),
        text_encoder_2=pair("transformers", "CLIPTextModelWithProjection"), tokenizer=pair("transformers", "CLIPTokenizer"),
        tokenizer_2=pair("transformers", "CLIPTokenizer"), unet=pair("diffusers", "UNet2DConditionModel"), vae=pair("diffusers", "AutoencoderKL"),
    ), open(f"{new}/model_index.json", "w"), indent=2)
    shutil.rmtree(out + ".old", ignore_errors=True)
    if os.path.exists(out): os.rename(out, out + ".old")
    os.rename(new, out)  # whoever looks sees the old folder or the new one, never half of either
    shutil.rmtree(out + ".old", ignore_errors=True)
    print(f"{size / 1e6:.2f} MB of weights in {out}")


if __name__ == "__main__":
    main(*sys.argv[1:5])
