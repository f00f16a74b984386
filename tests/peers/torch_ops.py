"""The operations of `ops.txt`, done by torch.

    pip install torch
    python tests/peers/torch_ops.py [--dtype f32|bf16] [--threads N] [--only conv3] [--serve]

prints a line of JSON for each operation: the middle of seven samples for every way that torch has. With `--serve` it
takes turns with `ops_bench`: it is sent a line of the file, then `go` as often as wanted (`bench_ops.py` drives them;
`turns.py` says how).
"""
import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from turns import serve

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    sys.exit(f"{error.name} is not here for {sys.executable}: pip install torch")

OPS = Path(__file__).resolve().parent / "ops.txt"
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
# How long one sample lasts at least; what takes less is done several times.
SAMPLE_SECONDS = 0.1
SAMPLES = 7


def noise(*shape):
    return torch.randn(*shape).to(noise.dtype)


def both(picture, run, *weights):
    """One way for each layout of a picture and of the windows that go over it."""
    last = torch.channels_last
    turned = [t.contiguous(memory_format=last) if t.dim() == 4 else t for t in (picture, *weights)]
    return {"plain": lambda: run(picture, *weights), "channels_last": lambda: run(*turned)}


def conv(kernel, stride, batch, inputs, outputs, edge):
    x, w, b = noise(batch, inputs, edge, edge), noise(outputs, inputs, kernel, kernel), noise(outputs)
    return both(x, lambda x, w, b: F.conv2d(x, w, b, stride=stride, padding=kernel // 2), w, b)


def linear(batch, tokens, inputs, outputs):
    x, w, b = noise(batch, tokens, inputs), noise(outputs, inputs), noise(outputs)
    return {"linear": lambda: F.linear(x, w, b)}


def attention(batch, queries, sources, heads, head):
    """From the projections to what the last one reads, as diffusers does it."""
    q, k, v = (noise(batch, length, heads * head) for length in (queries, sources, sources))

    def split(x):
        return x.view(batch, -1, heads, head).transpose(1, 2)

    def run():
        out = F.scaled_dot_product_attention(split(q), split(k), split(v))
        return out.transpose(1, 2).reshape(batch, queries, heads * head)

    return {"sdpa": run}


def group_norm(batch, channels, edge):
    x, w, b = noise(batch, channels, edge, edge), noise(channels), noise(channels)
    return both(x, lambda x, w, b: F.group_norm(x, 32, w, b), w, b)


def group_norm_silu(batch, channels, edge):
    x, w, b = noise(batch, channels, edge, edge), noise(channels), noise(channels)
    return both(x, lambda x, w, b: F.silu(F.group_norm(x, 32, w, b)), w, b)


def layer_norm(batch, tokens, channels):
    x, w, b = noise(batch, tokens, channels), noise(channels), noise(channels)
    return {"layer_norm": lambda: F.layer_norm(x, (channels,), w, b)}


def silu(batch, channels, edge):
    x = noise(batch, channels, edge, edge)
    return {"silu": lambda: F.silu(x)}


def gelu(batch, tokens, channels):
    x = noise(batch, tokens, channels)
    return {"gelu": lambda: F.gelu(x)}


def geglu(batch, tokens, channels, inner):
    x, weight, bias = noise(batch, tokens, channels), noise(2 * inner, channels), noise(2 * inner)

    def run():
        value, gate = F.linear(x, weight, bias).chunk(2, -1)
        return value * F.gelu(gate)

    return {"geglu": run}


def upsample(batch, channels, edge):
    return both(noise(batch, channels, edge, edge), lambda x: F.interpolate(x, scale_factor=2, mode="nearest"))


def add(batch, channels, edge):
    x, y = noise(batch, channels, edge, edge), noise(batch, channels, edge, edge)
    return both(x, torch.add, y)


def concat(batch, channels, edge):
    x, y = noise(batch, channels, edge, edge), noise(batch, channels, edge, edge)
    return both(x, lambda x, y: torch.cat([x, y], 1), y)


def to_tokens(batch, channels, edge):
    x = noise(batch, channels, edge, edge)
    return {"plain": lambda: x.flatten(2).transpose(1, 2).contiguous()}


KINDS = {
    "conv3": lambda *n: conv(3, 1, *n),
    "conv3s2": lambda *n: conv(3, 2, *n),
    "conv1": lambda *n: conv(1, 1, *n),
    "linear": linear,
    "attn": attention,
    "gn": group_norm,
    "gnsilu": group_norm_silu,
    "ln": layer_norm,
    "silu": silu,
    "gelu": gelu,
    "geglu": geglu,
    "upsample": upsample,
    "add": add,
    "cat": concat,
    "tokens": to_tokens,
}


class Ready:
    """An operation with its weights and inputs at hand, warm, in every way that torch has."""

    def __init__(self, line):
        kind, *sizes = line.split()
        self.ways = KINDS[kind](*map(int, sizes))
        self.repeats = {}
        for name, run in self.ways.items():
            run()
            start = time.perf_counter()
            run()
            self.repeats[name] = max(1, -int(-SAMPLE_SECONDS // max(time.perf_counter() - start, 1e-7)))

    def sample(self):
        """Returns the seconds of one run, by way."""
        return {name: self.once(name, run) for name, run in self.ways.items()}

    def once(self, name, run):
        start = time.perf_counter()
        for _ in range(self.repeats[name]):
            run()
        return (time.perf_counter() - start) / self.repeats[name]


def refusal(line):
    kind, *sizes = line.split()
    if kind not in KINDS:
        return f"`{kind}` is no operation of this script"
    if not all(size.isdigit() and int(size) for size in sizes):
        return f"a size in `{line}` is no number"
    return None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--dtype", choices=list(TYPES), default="f32")
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--only", default="")
    ap.add_argument("--serve", action="store_true")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    noise.dtype = TYPES[a.dtype]
    end = {"program": f"torch {torch.__version__}", "mode": a.dtype, "threads": a.threads}
    ready = None

    def reply(line):
        nonlocal ready
        if line == "go":
            return {"seconds": ready.sample()} if ready else sys.exit("`go` comes before any operation")
        ready = None
        refused = refusal(line)
        if not refused:
            try:
                ready = Ready(line)
            except (RuntimeError, TypeError) as error:
                refused = str(error).splitlines()[0]
        return {"op": line, "refused": refused} if refused else {"op": line}

    if a.serve:
        serve({"ready": True}, reply)
    else:
        for line in OPS.read_text().splitlines():
            if line and not line.startswith("#") and a.only in line:
                answer = reply(line)
                if ready:
                    samples = [ready.sample() for _ in range(SAMPLES)]
                    middle = {name: statistics.median(s[name] for s in samples) for name in samples[0]}
                    answer["median_seconds"] = middle
                print(json.dumps(answer), flush=True)
    print(json.dumps(end))


if __name__ == "__main__":
    main()
