"""Write what ComfyUI's samplers give on a toy denoiser, with the noise that it draws for a seed, and Brownian motion.

    python make_comfyui.py SAMPLING OUT     (OUT is the folder `comfyui` beside this file)

SAMPLING is the file `comfy/k_diffusion/sampling.py` of a ComfyUI checkout; it is run as it is, with stand-ins for what it
imports from the rest of ComfyUI. `samplers.*` and `sigmas.json` beside the outputs are older, of the same kind.

OUT/brownian.*      how far torchsde's BrownianTree goes between pairs of sigmas, as its noise sampler scales it
OUT/seeds.*         whole runs of the samplers that draw from it, for a seed
OUT/more.*          whole runs of samplers that `samplers.*` lacks, each draw of noise listed

Made with torchsde 0.2.6, torch 2.15.0 on the CPU and ComfyUI of July 2026; `dpmpp_2s_ancestral_cfg_pp` is that of the
later commit 02159d8, which rewrote it.
"""
import importlib.util
import json
import os
import sys
import types

import torch
from safetensors.torch import save_file

SHAPE = (2, 4, 6, 5)
BETAS = torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000, dtype=torch.float64) ** 2
PRODUCT = torch.cumprod(1 - BETAS, 0)
TRAINED = ((1 - PRODUCT) / PRODUCT).sqrt().float()


class Flow:
    """Takes the place of ComfyUI's model sampling of flows; its samplers ask for the type."""


def load(path):
    """Runs the sampling file as a module, with stand-ins for what it imports."""
    def module(name, **members):
        made = types.ModuleType(name)
        made.__dict__.update(members)
        sys.modules[name] = made
        return made

    def note(options, function, disable_cfg1_optimization=False):
        return {**options, "after_guidance": function}

    model_sampling = module("comfy.model_sampling", CONST=Flow)
    model_patcher = module("comfy.model_patcher", set_model_options_post_cfg_function=note)
    memory = module("comfy.memory_management")
    utils = module("comfy.utils", model_trange=lambda *args, disable=None, **kw: range(*args))
    module("comfy", model_sampling=model_sampling, model_patcher=model_patcher, memory_management=memory, utils=utils)
    append = lambda x, dims: x[(...,) + (None,) * (dims - x.ndim)]
    module("k", __path__=[], utils=module("k.utils", append_dims=append), deis=module("k.deis"),
           sa_solver=module("k.sa_solver"))
    spec = importlib.util.spec_from_file_location("k.sampling", path)
    sampling = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sampling)
    return sampling


class Spread:
    """Noise that grows by betas, as Stable Diffusion was trained with."""

    def percent_to_sigma(self, percent):
        return TRAINED[round((1 - percent) * 999)]


class Shifted(Flow):
    """A flow with shift 3."""

    def percent_to_sigma(self, percent):
        return torch.tensor(3 * (1 - percent) / (1 + 2 * (1 - percent)))


class Toy:
    """Denoisers in closed form: under guidance, and of the negative side alone."""

    def __init__(self, kind):
        sampling = Shifted() if kind.startswith("flow") else Spread()
        inner = types.SimpleNamespace(model_sampling=sampling)
        patcher = types.SimpleNamespace(get_model_object=lambda name: sampling)
        self.inner_model = types.SimpleNamespace(inner_model=inner, model_patcher=patcher)
        self.asked = 0

    def __call__(self, x, sigma, model_options=None, seed=None):
        self.asked += 1
        s = sigma.reshape(-1, 1, 1, 1)
        square = 1 + s * s
        guided = x / square + 0.2 * torch.sin(3 * x) * s / square
        negative = x / square - 0.1 * torch.cos(2 * x) * s / square
        after = (model_options or {}).get("after_guidance")
        return after({"denoised": guided, "uncond_denoised": negative}) if after else guided


def sigmas_of(kind, table, steps):
    if kind.startswith("flow"):
        times = torch.linspace(1, 0, steps + 1)
        return 3 * times / (1 + 2 * times)
    largest, smallest = TRAINED[-1].item(), TRAINED[0].item()
    shares = torch.linspace(0, 1, steps)
    if table == "karras":
        falling = (largest ** (1 / 7) + shares * (smallest ** (1 / 7) - largest ** (1 / 7))) ** 7
    else:
        falling = (shares * torch.tensor(smallest / largest).log()).exp() * largest
    return torch.cat([falling, torch.zeros(1)])


def start(sigmas):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(3)) * sigmas[0]


def brownian(sampling):
    """Pairs of sigmas in the order of a walk, in another order, and over each other."""
    tensors, cases = {}, {}
    for name, seed, ends, pairs in [
        ("walk", 7, (0.0291671771556139, 14.614643096923828), [
            (14.614643096923828, 3.168604850769043), (3.168604850769043, 0.4469185769557953),
            (0.4469185769557953, 0.0291671771556139)]),
        ("jumps", 7, (0.0291671771556139, 14.614643096923828), [
            (0.4469185769557953, 0.0291671771556139), (14.614643096923828, 0.0291671771556139), (9.5, 0.5),
            (1.0000010, 1.0)]),
        ("zero", 0, (0.001, 1.0), [(0.99988, 0.75), (0.99988, 0.5), (0.5, 0.001)]),
        ("wide", 2 ** 64 - 1, (0.0156250, 4518.53515625), [(4518.53515625, 100.0), (100.0, 12.3456789)]),
        ("small", 123456789012, (0.0078125, 0.0234375), [(0.0234375, 0.0117188), (0.0117188, 0.0078125)]),
    ]:
        low, high = (torch.tensor(end) for end in ends)
        pairs = [tuple(torch.tensor(end) for end in pair) for pair in pairs]
        noise = sampling.BrownianTreeNoiseSampler(torch.zeros(SHAPE), low, high, seed=seed, cpu=True)
        tensors[name] = torch.stack([noise(*pair) for pair in pairs])
        cases[name] = {"seed": str(seed), "ends": [low.item(), high.item()],
                       "pairs": [[end.item() for end in pair] for pair in pairs]}
    return tensors, {"cases": cases}


def walk(sampling, sampler, kind, sigmas, extra, **options):
    function, x, toy = getattr(sampling, f"sample_{sampler}"), start(sigmas), Toy(kind)
    if sampler in ("dpm_fast", "dpm_adaptive"):
        # As ComfyUI's `ksampler` calls them: down to the last sigma above 0.
        smallest = sigmas[-2] if sigmas[-1] == 0 else sigmas[-1]
        count = (len(sigmas) - 1,) if sampler == "dpm_fast" else ()
        return function(toy, x, smallest, sigmas[0], *count, extra_args=extra, disable=True, **options), toy
    return function(toy, x, sigmas, extra_args=extra, disable=True, **options), toy


def seeds(sampling):
    tensors, runs = {}, {}
    for sampler in ("dpmpp_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde"):
        for kind, table, steps in [("sdxl", "karras", 4), ("sdxl", "karras", 10), ("sdxl", "exponential", 7),
                                   ("flow_shift_3", "sgm_uniform", 6)]:
            for seed in (7, 2 ** 40 + 5):
                sigmas = sigmas_of(kind, table, steps)
                name = f"{sampler}/{kind}/{table}/{steps}/{seed}"
                tensors[f"{name}.x"], _ = walk(sampling, sampler, kind, sigmas, {"seed": seed})
                runs[name] = {"sigmas": sigmas.tolist(), "seed": seed}
    return tensors, {"runs": runs}


NEW = ("seeds_3", "gradient_estimation", "dpm_fast", "dpm_adaptive", "euler_cfg_pp", "euler_ancestral_cfg_pp",
       "dpmpp_2s_ancestral_cfg_pp", "dpmpp_2m_cfg_pp", "res_multistep_cfg_pp", "res_multistep_ancestral_cfg_pp",
       "gradient_estimation_cfg_pp")


def more(sampling):
    noise = torch.randn((64, *SHAPE), generator=torch.Generator().manual_seed(5))
    tensors, runs = {"noise": noise}, {}
    for sampler in NEW:
        for kind, table, steps in [("sdxl", "karras", 4), ("sdxl", "karras", 9), ("sdxl", "exponential", 10),
                                   ("sdxl", "karras", 11), ("flow_shift_3", "sgm_uniform", 6)]:
            sigmas, drawn = sigmas_of(kind, table, steps), []

            def draw(*_):
                drawn.append(None)
                return noise[len(drawn) - 1]

            draws = any(word in sampler for word in ("seeds", "ancestral"))
            x, toy = walk(sampling, sampler, kind, sigmas, {}, **({"noise_sampler": draw} if draws else {}))
            name = f"{sampler}/{kind}/{table}/{steps}"
            tensors[f"{name}.x"] = x
            runs[name] = {"sigmas": sigmas.tolist(), "noise_draws": len(drawn), "asked": toy.asked}
    return tensors, {"doc": "guided = x/(1+s^2) + 0.2 sin(3x) s/(1+s^2); negative = x/(1+s^2) - 0.1 cos(2x) s/(1+s^2); "
                            "noise[k] is the k-th draw", "runs": runs}


@torch.no_grad()
def main(path, out):
    torch.set_num_threads(1)
    sampling = load(path)
    for name, made in [("brownian", brownian), ("seeds", seeds), ("more", more)]:
        tensors, facts = made(sampling)
        first = start([1.0]) if name != "brownian" else None
        tensors = {"start": first, **tensors} if first is not None else tensors
        save_file({key: value.contiguous() for key, value in tensors.items()}, os.path.join(out, f"{name}.safetensors"))
        with open(os.path.join(out, f"{name}.json"), "w") as file:
            json.dump(facts, file, indent=1, sort_keys=True)
            file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
