"""Makes adapters of all kinds for the tiny SDXL base, and what its UNet answers with each of them.

    python make_adapters.py            writes adapters/*.safetensors and adapters/expected.safetensors beside this file

LoHa, LoKr and DoRA are computed by peft on the living network; LoCon with a middle convolution, full differences and
differences of biases by torch, by the operations themselves and not by merged weights. The files are spelt as LyCORIS
and kohya spell them. Made with torch 2.15.0, diffusers 0.42.1 and peft 0.21.2.
"""
import copy
import math
import os

import peft
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "adapters")
BLOCK = "down_blocks.1.attentions.0.transformer_blocks.0."
LINEAR = [BLOCK + "attn1.to_q", BLOCK + "attn2.to_k", BLOCK + "ff.net.0.proj", "up_blocks.1.attentions.1.proj_out"]
CONV = ["down_blocks.1.resnets.0.conv1", "mid_block.resnets.1.conv2", "up_blocks.0.upsamplers.0.conv"]
SHORTCUT = "down_blocks.1.resnets.0.conv_shortcut"

torch.manual_seed(20)
torch.set_grad_enabled(False)
torch.set_num_threads(1)
base = UNet2DConditionModel.from_pretrained(os.path.join(HERE, "golden/models/tiny-sdxl-base/unet"), torch_dtype=torch.float32).eval()
sample = torch.randn(1, 4, 8, 8)
context = torch.randn(1, 7, base.config.cross_attention_dim)
added = {"text_embeds": torch.randn(1, base.config.projection_class_embeddings_input_dim - 6 * base.config.addition_time_embed_dim), "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]])}
expected = {"in.sample": sample, "in.encoder_hidden_states": context, "in.text_embeds": added["text_embeds"], "in.time_ids": added["time_ids"]}


def ask(net):
    return net(sample, 500, encoder_hidden_states=context, added_cond_kwargs=added).sample


def small(*shape):
    return 0.5 * torch.randn(*shape) / math.sqrt(shape[-1])


def kohya(module):
    return "lora_unet_" + module.replace(".", "_")


def write(name, tensors, answer):
    save_file({k: v.detach().clone().contiguous() for k, v in sorted(tensors.items())}, os.path.join(OUT, name + ".safetensors"))
    expected[name] = answer
    print(name, len(tensors), "tensors, moves the answer by", float((answer - expected["none"]).abs().max()))


def with_peft(name, config, rank, alpha, spell):
    """Lets peft change the network, fills its parameters, and writes them as `spell` calls them."""
    net = peft.get_peft_model(copy.deepcopy(base), config)
    tensors = {}
    for key, value in net.named_parameters():
        adapter = next((word for word in ("hada_", "lokr_", "lora_") if word in key), None)
        if adapter is None:
            continue
        if "magnitude" in key:
            value.copy_(value * (1 + 0.3 * torch.randn_like(value)))
        else:
            value.copy_(small(*value.shape))
        module, piece = key.removeprefix("base_model.model.").split("." + adapter, 1)
        tensors.update(spell(module, adapter + piece.replace(".default", ""), value, alpha))
    for key in [key for key in tensors if key.endswith(".lokr_w1") and key.replace("w1", "w2") in tensors]:
        # Two whole factors have no rank, and LyCORIS then leaves alpha out; peft does not.
        tensors[key] = tensors[key] * alpha / rank
    write(name, tensors, ask(net))


def lycoris(module, piece, value, alpha):
    return {f"{kohya(module)}.{piece.removesuffix('.weight')}": value, f"{kohya(module)}.alpha": torch.tensor(alpha)}


def kohya_dora(module, piece, value, alpha):
    """A length stands on its side for a convolution in peft, (1, outputs, 1, 1), and upright in kohya's files."""
    key = kohya(module)
    if "magnitude" in piece:
        rows = value.flatten()
        shape = (-1, 1, 1, 1) if value.dim() == 4 else (-1, 1)
        return {key + ".dora_scale": rows.reshape(shape)}
    word = "lora_down" if "lora_A" in piece else "lora_up"
    return {f"{key}.{word}.weight": value, key + ".alpha": torch.tensor(alpha)}


def raw_dora(module, piece, value, _alpha):
    return {f"unet.{module}.{piece}": value}


def chained(tensors):
    """The answer with small layers run beside the big ones, and biases and weights added."""
    net = copy.deepcopy(base)
    for module, pieces in tensors.items():
        layer = net.get_submodule(module)
        if "diff" in pieces:
            layer.weight.add_(pieces["diff"])
        if "diff_b" in pieces:
            layer.bias.add_(pieces["diff_b"])
        if "lora_up" in pieces:
            def beside(layer, args, out, p=pieces):
                h = torch.conv2d(args[0], p["lora_down"], None, layer.stride if "lora_mid" not in p else 1, layer.padding if "lora_mid" not in p else 0)
                if "lora_mid" in p:
                    h = torch.conv2d(h, p["lora_mid"], None, layer.stride, layer.padding)
                return out + torch.conv2d(h, p["lora_up"]) * p["alpha"] / p["lora_down"].shape[0]
            layer.register_forward_hook(beside)
    return ask(net)


def by_hand(name, tensors):
    flat = {}
    for module, pieces in tensors.items():
        for piece, value in pieces.items():
            ending = ".weight" if piece.startswith("lora_") else ""
            flat[f"{kohya(module)}.{piece}{ending}"] = value
    write(name, flat, chained(tensors))


os.makedirs(OUT, exist_ok=True)
expected["none"] = ask(base)
both = LINEAR + CONV
with_peft("loha", peft.LoHaConfig(r=3, alpha=2, target_modules=LINEAR + [SHORTCUT] + CONV), 3, 2.0, lycoris)
with_peft("loha_core", peft.LoHaConfig(r=3, alpha=2, target_modules=both, use_effective_conv2d=True), 3, 2.0, lycoris)
with_peft("lokr", peft.LoKrConfig(r=2, alpha=3, target_modules=both), 2, 3.0, lycoris)
with_peft("lokr_core", peft.LoKrConfig(r=2, alpha=3, target_modules=both, use_effective_conv2d=True, decompose_both=True, decompose_factor=4), 2, 3.0, lycoris)
with_peft("dora", peft.LoraConfig(r=3, lora_alpha=2, target_modules=both, use_dora=True), 3, 2.0, kohya_dora)
with_peft("dora_peft", peft.LoraConfig(r=3, lora_alpha=3, target_modules=both, use_dora=True), 3, 3.0, raw_dora)


def conv(module, rank, mid):
    weight = base.get_submodule(module).weight
    outputs, inputs, kernel, _ = weight.shape
    pieces = {"lora_up": small(outputs, rank, 1, 1), "alpha": torch.tensor(2.0)}
    if mid:
        return {**pieces, "lora_down": small(rank, inputs, 1, 1), "lora_mid": small(rank, rank, kernel, kernel)}
    return {**pieces, "lora_down": small(rank, inputs, kernel, kernel)}


by_hand("locon", {module: conv(module, 3, False) for module in CONV + [SHORTCUT]})
by_hand("locon_mid", {module: conv(module, 3, True) for module in CONV})
full = {}
for module in [LINEAR[3], CONV[0], "conv_norm_out", "time_embedding.linear_1"]:
    layer = base.get_submodule(module)
    full[module] = {"diff": 0.1 * torch.randn_like(layer.weight), "diff_b": 0.1 * torch.randn_like(layer.bias)}
by_hand("diff", full)
save_file(expected, os.path.join(OUT, "expected.safetensors"))
