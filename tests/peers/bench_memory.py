"""What a picture from text takes of memory and time under limits, beside diffusers; and how near the plans are.

    just bench-memory --model sdxl.safetensors              darkroom and diffusers, unlimited and within 8, 4, 3 GiB
    just bench-memory --model sdxl.safetensors --plan       the plan's numbers beside what was measured
    just bench-memory                                       the built-in model, to try the program out

A model of the real size without real weights: `make_checkpoint --out sdxl.safetensors` (6.9 GB).

Every run is a process of its own, with folders of its own, and begins with none of the model's pages in memory. A limited
one runs in a memory cgroup, where pages of files count as they do in a container; `--ram` is told the limit less
`--leave`. Where no group can be made, it runs free, and what was sampled is held against the limit. Memory is sampled
every 50 ms, anonymous and mapped apart. Seconds a step are the median without the first step, which loads. The whole time
counts everything but the first reading of a file for its name, which happens once per machine.

With `--plan` every part runs alone, on the results of those before it: what is held while it runs, less what was held when
it began, is what its weights and scratch took. The last row gives a whole run exactly the budget that its plan asks for.

Needs: a release build of `darkroom`, Linux, a quiet machine, and for diffusers a Python with torch, diffusers and
transformers (this one, or `--python`).
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from turns import GIB, Trouble, free_gib, machine
from watched import can_limit, forget_pages, watch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The parts of a picture from text, as the workflow below calls them.
PARTS = {"prompt": "encode", "denoise": "denoise", "decode": "decode"}
# A fault is one sentence, not a list of calls.
BRIEF = {"RUST_BACKTRACE": "0", "RUST_LIB_BACKTRACE": "0"}
WORKFLOW = """(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: {source}),
    "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: "a lighthouse above the sea", negative: "blurry"),
    "blank": (type: "empty_latent", width: {size}, height: {size}),
    "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "blank"), seed: 7, steps: {steps}, guidance: 5.0),
    "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
    "save": (type: "save_image", image: (from: "decode"), name: "picture"),
}})
"""
HEAD = ["picture", "limit", "program", "completed", "anonymous GB", "mapped GB", "group's peak GB", "s a step",
        "of unlimited", "whole s"]
PLAN_HEAD = ["picture", "part", "weights GB", "scratch GB", "planned GB", "measured GB", "error", "≤ 10 %"]
GOAL_ERROR = 0.10


def main():
    # Who is asked to end ends its program and removes its group first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    a = flags()
    a.work.mkdir(parents=True, exist_ok=True)
    page = Page(a)
    page.say(f"{machine()}; {a.model.name if a.model else 'the built-in model'}, {a.steps} steps\n")
    remember_digest(a)
    plan_table(a, page) if a.plan else limit_table(a, page)
    page.end()
    return 1 if page.failures else 0


def flags():
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", type=Path, help="a checkpoint of SDXL in one file (default: the built-in model)")
    ap.add_argument("--plan", action="store_true", help="the plan's numbers beside what was measured")
    ap.add_argument("--sizes", type=int, nargs="+", help="edges in pixels (default: 512 1024; built in: 256)")
    ap.add_argument("--limits", type=float, nargs="*", default=[8, 4, 3], metavar="GIB")
    ap.add_argument("--leave", type=float, default=0.75, metavar="GIB",
                    help="of a limit, what is left to everything but weights and scratch")
    ap.add_argument("--steps", type=int, default=4)
    ap.add_argument("--quality", help="exact, fast or int8 (default: the program's)")
    ap.add_argument("--no-peer", dest="peer", action="store_false", help="leave diffusers out")
    ap.add_argument("--only-peer", dest="ours", action="store_false", help="leave darkroom out")
    ap.add_argument("--python", default=sys.executable, help="a Python that has torch and diffusers")
    ap.add_argument("--threads", type=int, default=os.cpu_count(), help="of diffusers")
    ap.add_argument("--built", type=Path, default=built, help="folder of `darkroom`")
    ap.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "darkroom-bench-memory",
                    help="folder for workflows, results and pictures")
    ap.add_argument("--out", type=Path, help="write what is printed here, too")
    ap.add_argument("--json", type=Path, help="write what was measured here")
    a = ap.parse_args()
    if a.model and not a.model.exists():
        ap.error(f"there is no {a.model}; `make_checkpoint --out {a.model}` writes one of noise")
    if a.steps < 3:
        ap.error("--steps wants at least 3: the first is not counted, and one is no median")
    a.model = a.model and a.model.resolve()
    a.sizes = a.sizes or ([512, 1024] if a.model else [256])
    a.peer = a.peer and bool(a.model)
    return a


@dataclass
class Ours:
    """darkroom, on a workflow of its own."""
    a: argparse.Namespace
    size: int
    name: str = "darkroom"

    def command(self, *more, deed="run"):
        workflow = self.a.work / f"picture-{self.size}.ron"
        source = json.dumps(self.a.model.name if self.a.model else "mini")
        workflow.write_text(WORKFLOW.format(source=source, size=self.size, steps=self.a.steps))
        command = [program(self.a), deed, workflow, "--out", self.a.work / "output", *more]
        if self.a.model:
            command += ["--allow", self.a.model.parent]
        return command + (["--quality", self.a.quality] if self.a.quality else [])

    def run(self, *more, limit=None, fresh=True):
        keep = ["--fresh", "--no-cache-disk"] if fresh else []
        return watch(self.command("--events", "--cache-memory", "64M", *keep, *more), environment(self.a), limit)

    def limited(self, limit, group):
        ram = [] if limit is None else ["--ram", max(0, int(limit - self.a.leave * GIB))]
        return self.run(*ram, limit=limit if group else None)


@dataclass
class Peer:
    """diffusers, on the same model."""
    a: argparse.Namespace
    size: int
    name: str = "diffusers bf16"

    def limited(self, limit, group):
        command = [self.a.python, HERE / "torch_memory.py", "--model", self.a.model, "--size", self.size, "--steps",
                   self.a.steps, "--threads", self.a.threads]
        return watch(command, {}, limit if group else None)


def program(a):
    path = a.built / "darkroom"
    if not path.exists():
        raise Trouble(f"{path} is not there: cargo build --release --workspace")
    return path


def environment(a):
    folders = {"DARKROOM_CACHE": "cache", "DARKROOM_STATE": "state", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data",
               "XDG_STATE_HOME": "state"}
    return {**BRIEF, **{variable: str(a.work / folder) for variable, folder in folders.items()}}


def remember_digest(a):
    """Lets darkroom read the model for its name, once, so that no run is measured that does."""
    if not a.model or not a.ours:
        return
    seen = Ours(a, a.sizes[0]).run("--to", "model")
    if not seen.completed:
        raise Trouble(f"darkroom cannot open {a.model}: {seen.last_words}")


def limit_table(a, page):
    """Runs every size unlimited and within each limit, on both sides."""
    without = can_limit()
    if without and a.limits:
        page.note(f"Sampled, not limited: {without}.")
    page.cells(HEAD)
    page.cells(["---"] * len(HEAD))
    for size in a.sizes:
        for side in [Ours(a, size)] * a.ours + [Peer(a, size)] * a.peer:
            unlimited = None
            for limit in [None, *(gib * GIB for gib in a.limits)]:
                unlimited = limit_row(a, page, side, limit, group=not without, unlimited=unlimited)


def limit_row(a, page, side, limit, group, unlimited):
    """Runs one side within one limit and writes its row; returns its seconds a step where nothing limited it."""
    if limit is None and free_gib() < 1:
        raise Trouble("less than 1 GiB of memory is free; close other programs")
    limit = int(limit) if limit else None
    if a.model:
        forget_pages(a.model)
    seen = side.limited(limit, group)
    steps = seen.steps()
    step = statistics.median(steps) if steps else None
    unlimited = step if limit is None else unlimited
    page.cells([
        f"{side.size}²", f"{limit / GIB:g} GiB" if limit else "none", side.name, ending(seen, limit, group),
        gb(seen.peak("anonymous")), gb(seen.peak("mapped")), gb(seen.group_peak) if seen.group_peak else "–",
        f"{step:.2f}" if step else "–", f"{step / unlimited:.2f}" if step and unlimited else "–",
        f"{seen.seconds:.0f}" if seen.completed else "–"])
    if not seen.completed and side.name == "darkroom":
        page.failures += 1
    if not seen.completed:
        page.note(f"{side.name} at {side.size}² within {limit / GIB if limit else 'no limit'} GiB ended with code "
                  f"{seen.code}: {seen.last_words or 'without a word'}")
    page.record.append({
        "picture": side.size, "limit_bytes": limit, "program": side.name, "completed": seen.completed,
        "killed": seen.killed, "code": seen.code, "anonymous_peak_bytes": seen.peak("anonymous"),
        "mapped_peak_bytes": seen.peak("mapped"), "resident_peak_bytes": seen.peak("both"),
        "group_peak_bytes": seen.group_peak, "step_seconds": steps, "seconds": seen.seconds,
        "parts_seconds": {event["node"]: event["seconds"] for _, event in seen.events("finished")}})
    return unlimited


def ending(seen, limit, group):
    """Says in a word how a run ended."""
    if seen.killed:
        return "no: killed"
    if not seen.completed:
        return f"no: code {seen.code}"
    if limit and not group and seen.peak("anonymous") > limit:
        return "no: above it"
    return "yes"


def plan_table(a, page):
    """Runs every part alone and holds it against what `explain` says of it."""
    page.cells(PLAN_HEAD)
    page.cells(["---"] * len(PLAN_HEAD))
    for size in a.sizes:
        side = Ours(a, size)
        plan = explained(a, side)
        costs = {node["id"]: node["cost"] for node in plan["nodes"]}
        shutil.rmtree(a.work / "cache", ignore_errors=True)
        for part in PARTS:
            if a.model:
                forget_pages(a.model)
            seen = side.run("--to", part, fresh=False)
            cost = costs[part]
            planned = cost["weights"] + cost["workspace"] + cost["output"]
            plan_row(page, size, part, (cost["weights"], cost["workspace"], planned), seen, part)
        if a.model:
            forget_pages(a.model)
        peak = plan["peak_bytes"]
        seen = side.run("--ram", peak)
        plan_row(page, size, "the whole, in that budget", (None, None, peak), seen, None)


def explained(a, side):
    """Returns the plan of a whole run."""
    asked = subprocess.run([str(word) for word in side.command("--json", "--fresh", deed="explain")],
                           capture_output=True, text=True, env={**os.environ, **environment(a)})
    if asked.returncode:
        raise Trouble(f"darkroom explains nothing: {asked.stderr.strip()}")
    return json.loads(asked.stdout)


def plan_row(page, size, title, planned, seen, part):
    """Writes a row: what was planned, and the most that was held while a node ran above what was held when it began."""
    weights, scratch, whole = planned
    measured = grown(seen, part)
    if measured is None:
        page.failures += 1
        page.note(f"{title} at {size}² was not measured: {seen.last_words or 'it did not run'}")
    error = whole / measured - 1 if measured else None
    page.cells([
        f"{size}²", PARTS.get(title, title), gb(weights), gb(scratch), gb(whole), gb(measured),
        f"{100 * error:+.0f} %" if measured else "–",
        "–" if error is None else "yes" if abs(error) <= GOAL_ERROR else "no"])
    page.record.append({
        "picture": size, "part": title, "weights_bytes": weights, "scratch_bytes": scratch, "planned_bytes": whole,
        "measured_bytes": measured, "error": error, "completed": seen.completed,
        "mapped_peak_bytes": seen.peak("mapped"), "seconds": seen.seconds})


def grown(seen, part):
    """Returns the most anonymous memory while a node ran, less that at its beginning; of all nodes without one. Nothing
    where it did not run."""
    started, finished = seen.events("started", part), seen.events("finished", part)
    if not seen.completed or not started or not finished:
        return None
    begin, end = started[0][0], finished[-1][0]
    return seen.peak("anonymous", begin, end) - seen.at(begin)


def gb(count):
    return "–" if count is None else f"{count / 1e9:.2f}"


class Page:
    """Markdown, row by row as it becomes known, and everything measured behind it."""

    def __init__(self, a):
        self.a, self.lines, self.notes, self.record, self.failures = a, [], [], [], 0

    def say(self, line):
        print(line, flush=True)
        self.lines.append(line)
        if self.a.out:
            self.a.out.write_text("\n".join(self.lines) + "\n")

    def cells(self, cells):
        self.say("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |")
        if self.a.json:
            self.a.json.write_text(json.dumps(self.record, indent=1) + "\n")

    def note(self, words):
        if words not in self.notes:
            self.notes.append(words)

    def end(self):
        if self.notes:
            self.say("")
        for note in self.notes:
            self.say(note)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(f"bench_memory: {trouble}")
    except KeyboardInterrupt:
        sys.exit(130)
