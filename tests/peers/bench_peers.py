"""Holds darkroom's networks against PyTorch and stable-diffusion.cpp, and fills one table.

    just bench-peers                             every row that has a goal
    just bench-peers unet-512-fast clip-fast     these rows
    python tests/peers/bench_peers.py --list     what rows there are

Both programs of a row run in one go and strictly in turn, each first in every other round, so that what slows the
machine for a while slows both. Where both do not fit into memory, each is started anew for every turn. A time is the
median of all rounds; a ratio the median of the ratios of neighbours; memory the most that Linux has counted (VmHWM).
The first forward of a process is never counted.

Needs: a release build of `unet_bench` and `ops_bench`, a Python with torch, diffusers and transformers (this one, or
`--python`), Linux, and a quiet machine: the last column says how much of the processors went to other programs.

PyTorch runs at its best: channels last, huge pages, and memory kept by malloc. stable-diffusion.cpp is run with
`--sdcpp`, a command as "sd-cli -m sdxl.safetensors --diffusion-fa", or else quoted from another machine.
"""
import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from turns import Ended, Side, Trouble, Watch, anew, free_gib, machine, together

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# Both thresholds keep large buffers in the process, and malloc asks for huge pages: worth up to a quarter of the time.
TUNED_MALLOC = {"GLIBC_TUNABLES": ":".join([
    "glibc.malloc.mmap_threshold=8589934592", "glibc.malloc.trim_threshold=8589934592", "glibc.malloc.hugetlb=1"])}
# The best setting of stable-diffusion.cpp on 2 cores of an EPYC (Zen 5) that reach 574 GFLOP/s in f32.
SDCPP_QUOTED, SDCPP_MACHINE = 23.0, 574.0
# A fault of ours is one sentence, not a list of calls.
BRIEF = {"RUST_BACKTRACE": "0", "RUST_LIB_BACKTRACE": "0"}
# Memory that a row leaves to everybody else.
SPARE_GIB = 1.5
# From this share of the processors on, other programs spoil a time.
LOUD = 0.03


@dataclass
class Row:
    """One comparison: what is run, in which mode here, in which type there, and what is wanted of it."""
    work: str
    part: str
    mode: str
    dtype: str
    size: int = 512
    batch: int = 2
    # The most that the ratio may be; 0 where nobody set a goal.
    goal: float = 0.0
    # Arithmetic of one forward, in 10¹² operations, and which of the machine's peaks bounds it here.
    teraflop: float = 0.0
    peak: str = "f32"
    # Memory that each side needs at most, for the decision whether both fit.
    gib: tuple = (6.5, 6.5)
    # Goals for memory: GB at most, and a share of the peer's.
    most_gb: float = 0.0
    most_share: float = 0.0
    # Against stable-diffusion.cpp's step.
    sdcpp_goal: float = 0.0
    ours_environment: dict = field(default_factory=dict)
    peer_environment: dict = field(default_factory=dict)


ROWS = {
    "unet-512-fast": Row("UNet 512², `fast`", "unet", "fast", "bf16", goal=0.9, teraflop=3.18, peak="bf16",
                         most_gb=5.6, sdcpp_goal=0.2),
    "unet-512-exact": Row("UNet 512², `exact`", "unet", "exact", "f32", goal=0.65, teraflop=3.18, gib=(12, 12)),
    "unet-512-int8": Row("UNet 512², `int8`", "unet", "int8", "bf16", goal=0.6, teraflop=3.18, peak="int8",
                         sdcpp_goal=0.2),
    "unet-1024-fast": Row("UNet 1024², `fast`", "unet", "fast", "bf16", size=1024, goal=0.85, teraflop=13.5,
                          peak="bf16", gib=(7, 7)),
    "vae-512-fast": Row("VAE decode 512², `fast`", "vae", "fast", "bf16", batch=1, goal=1.0, teraflop=2.52, peak="bf16",
                        gib=(2, 3), most_share=0.5),
    "vae-1024-fast": Row("VAE decode 1024², `fast`", "vae", "fast", "bf16", size=1024, batch=1, goal=1.0,
                         teraflop=10.5, peak="bf16", gib=(4, 5), most_share=0.5),
    "clip-fast": Row("CLIP-L + bigG, `fast`", "clip", "fast", "bf16", goal=1.0, teraflop=0.22, peak="bf16", gib=(3, 3)),
    "unet-512-exact-avx2": Row("UNet 512², `exact`, AVX2 alone", "unet", "exact", "f32", goal=1.0, teraflop=3.18,
                               peak="f32_avx2", gib=(12, 12), ours_environment={"DARKROOM_CPU": "avx2"},
                               peer_environment={"ONEDNN_MAX_CPU_ISA": "AVX2"}),
}
# Rows without a goal, run where they are named.
MORE = {
    "vae-512-exact": Row("VAE decode 512², `exact`", "vae", "exact", "f32", batch=1, teraflop=2.52, gib=(3, 4)),
    "clip-exact": Row("CLIP-L + bigG, `exact`", "clip", "exact", "f32", teraflop=0.22, gib=(5, 5)),
}

HEAD = ["work", "peer", "peer s", "darkroom s", "ratio", "goal", "met", "peer GB", "darkroom GB", "share of peak",
        "others"]


def main():
    a = flags()
    known = ROWS | MORE
    if a.list:
        for name, row in known.items():
            print(f"{name:22}{row.work}")
        return 0
    unknown = [name for name in a.rows if name not in known]
    if unknown:
        raise Trouble(f"there is no row `{unknown[0]}`; the rows are {', '.join(known)}")
    table = Table(a)
    table.say(f"{machine()}; {a.threads} threads, {a.rounds} rounds\n")
    table.peaks = peaks(a)
    table.say(words_for(table.peaks) + "\n")
    if table.peaks["others"] > LOUD:
        table.note(f"Other programs took {100 * table.peaks['others']:.0f} % of the processors while the peak was "
                   "measured: shares of it read too high.")
    table.head()
    for name in a.rows or ROWS:
        try:
            table.row(name, known[name], run(known[name], a))
        except Trouble as trouble:
            table.failed(known[name].work, trouble)
    table.end()
    return 1 if table.failures else 0


def flags():
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("rows", nargs="*", metavar="ROW")
    ap.add_argument("--list", action="store_true", help="name the rows and end")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--pairs", choices=["auto", "together", "anew"], default="auto",
                    help="load both and let them take turns, or start each anew for its turn (auto: by memory)")
    ap.add_argument("--layout", choices=["channels_last", "plain"], default="channels_last", help="of the peer")
    ap.add_argument("--sdcpp", metavar="COMMAND", help="stable-diffusion.cpp with its model and settings")
    ap.add_argument("--python", default=sys.executable, help="a Python that has torch and diffusers")
    ap.add_argument("--built", type=Path, default=built, help="folder of `unet_bench` and `ops_bench`")
    ap.add_argument("--size", type=int, help="another edge in pixels for every row, to try the programs out")
    ap.add_argument("--out", type=Path, help="write what is printed here, too")
    ap.add_argument("--json", type=Path, help="write every second of every round here")
    a = ap.parse_args()
    if a.rounds < 1 or a.threads < 1:
        ap.error("--rounds and --threads want at least 1")
    return a


def run(row, a):
    """Runs both sides of a row, and returns their pairs."""
    size = a.size or row.size
    common = ["--part", row.part, "--size", size, "--batch", row.batch, "--threads", a.threads, "--serve"]
    ours = Side("darkroom", [program(a, "unet_bench"), "--mode", row.mode, *common], {**BRIEF, **row.ours_environment})
    script = [a.python, HERE / "torch_sdxl.py", "--dtype", row.dtype, "--layout", a.layout]
    peer = Side("PyTorch", [*script, *common], {**TUNED_MALLOC, **row.peer_environment})
    pairs = how(row, a)(ours, peer, a.rounds)
    check_mask(row, pairs)
    return pairs


def check_mask(row, pairs):
    """Refuses a time of a row that masks features where our side does not say that it did."""
    want, said = row.ours_environment.get("DARKROOM_CPU"), pairs.reports[0].get("cpu")
    if want != said and want:
        words = f"reports `{said}`" if said else "says nothing of it"
        raise Trouble(f"darkroom was to compute with `{want}` by DARKROOM_CPU, and {words}")


def how(row, a):
    """Chooses between both at once and one at a time."""
    free = free_gib() - SPARE_GIB
    if a.pairs != "auto":
        return {"together": together, "anew": anew}[a.pairs]
    if sum(row.gib) <= free:
        return together
    if max(row.gib) <= free:
        return anew
    raise Trouble(f"one side wants {max(row.gib):.1f} GiB and {max(free, 0):.1f} may be taken; close other programs")


def program(a, name):
    path = a.built / name
    if not path.exists():
        raise Trouble(f"{path} is not there: cargo build --release -p darkroom-tests --bin unet_bench --bin ops_bench")
    return path


def peaks(a):
    """Asks the machine for its peaks, in 10⁹ operations a second."""
    command = [program(a, "ops_bench"), "--peak", "--threads", str(a.threads)]
    watch = Watch([Ended])
    with watch:
        asked = subprocess.run(command, capture_output=True, text=True)
    if asked.returncode:
        raise Trouble(f"ops_bench cannot measure the peak: {asked.stderr.strip()}")
    return {**json.loads(asked.stdout), "others": watch.share}


def words_for(peaks):
    names = {"f32": "f32", "f32_avx2": "f32 with AVX2", "bf16": "bf16", "int8": "int8"}
    found = [f"{name} {peaks[key]:.0f}" for key, name in names.items() if peaks.get(key)]
    return f"Peak of the registers, G(FL)OP/s: {', '.join(found) or 'unknown'}; copy {peaks['copy_gb']:.0f} GB/s."


class Table:
    """Markdown, line by line as it becomes known, and everything measured behind it."""

    def __init__(self, a):
        self.a, self.peaks, self.failures, self.notes, self.record = a, {}, 0, [], {}
        self.sdcpp = None
        self.lines = []

    def say(self, line):
        print(line, flush=True)
        self.lines.append(line)
        if self.a.out:
            self.a.out.write_text("\n".join(self.lines) + "\n")

    def cells(self, *cells):
        cells = [str(cell) for cell in cells] + ["–"] * (len(HEAD) - len(cells))
        self.say("| " + " | ".join(cells) + " |")

    def head(self):
        self.cells(*HEAD)
        self.say("|" + "---|" * len(HEAD))

    def row(self, name, row, pairs):
        ours, peer = pairs.medians
        ours_gb, peer_gb = (report["peak_rss_bytes"] / 1e9 for report in pairs.reports)
        work = row.work if not self.a.size else f"{row.work} (tried at {self.a.size} px)"
        torch = f"{pairs.reports[1]['program']} {row.dtype}"
        others = f"{100 * pairs.others:.0f} %" + (" (too many)" if pairs.others > LOUD else "")
        self.cells(work, torch, seconds(peer), seconds(ours), f"{pairs.ratio:.2f}",
                   f"≤ {row.goal:.2f}" if row.goal else "–", yes(pairs.ratio <= row.goal) if row.goal else "–",
                   f"{peer_gb:.2f}", f"{ours_gb:.2f}", self.share(row, ours), others)
        library = pairs.reports[1].get("rss_at_start_bytes", 0) / 1e9
        self.note(f"Of PyTorch's memory, {library:.2f} GB are its libraries, before there is a network.")
        if row.most_gb:
            self.memory(f"peak memory, {work}", torch, ours_gb, peer_gb, f"≤ {row.most_gb} GB", ours_gb <= row.most_gb)
        if row.most_share:
            met = ours_gb <= row.most_share * peer_gb
            self.memory(f"peak memory, {work}", torch, ours_gb, peer_gb, f"≤ {row.most_share:.2f}", met)
        if row.sdcpp_goal and not self.a.size:
            self.against_sdcpp(row, ours)
        self.record[name] = {"ours": pairs.ours, "peer": pairs.peer, "ratio": pairs.ratio, "others": pairs.others,
                             "reports": pairs.reports}
        if self.a.json:
            self.a.json.write_text(json.dumps({"peaks": self.peaks, "rows": self.record}, indent=1) + "\n")

    def memory(self, work, peer, ours_gb, peer_gb, goal, met):
        self.cells(work, peer, "–", "–", f"{ours_gb / peer_gb:.2f}", goal, yes(met), f"{peer_gb:.2f}", f"{ours_gb:.2f}")

    def share(self, row, ours):
        peak = self.peaks.get(row.peak) or self.peaks.get("f32")
        if not peak or not row.teraflop or self.a.size:
            return "–"
        return f"{100 * row.teraflop * 1e3 / ours / peak:.0f} %"

    def against_sdcpp(self, row, ours):
        try:
            self.sdcpp = self.sdcpp or (sdcpp_step(self.a) if self.a.sdcpp else SDCPP_QUOTED)
        except Trouble as trouble:
            self.failed(f"{row.work}, a step", trouble)
            return
        peer = "stable-diffusion.cpp" + ("" if self.a.sdcpp else ", quoted")
        ratio = ours / self.sdcpp
        self.cells(row.work, peer, seconds(self.sdcpp), seconds(ours), f"{ratio:.2f}", f"≤ {row.sdcpp_goal:.2f}",
                   yes(ratio <= row.sdcpp_goal))
        here = self.peaks.get("f32")
        if not self.a.sdcpp and here:
            self.note(f"stable-diffusion.cpp is quoted from a machine of {SDCPP_MACHINE:.0f} GFLOP/s in f32; this one "
                      f"reaches {here:.0f}, {here / SDCPP_MACHINE:.2f} of it.")

    def failed(self, work, trouble):
        self.failures += 1
        self.cells(work, f"not measured: {str(trouble).replace('|', '/')}")

    def note(self, words):
        if words not in self.notes:
            self.notes.append(words)

    def end(self):
        if self.notes:
            self.say("")
        for note in self.notes:
            self.say(note)


def seconds(value):
    return f"{value:.2f}" if value >= 1 else f"{value:.4f}"


def yes(met):
    return "yes" if met else "no"


def sdcpp_step(a):
    """Runs three steps of stable-diffusion.cpp at 512² and returns the seconds of the later ones: the first loads."""
    with tempfile.TemporaryDirectory() as folder:
        steps = ["-p", "a lovely cat", "--cfg-scale", "7", "--steps", "3", "-W", "512", "-H", "512", "--seed", "1",
                 "--sampling-method", "euler", "-t", str(a.threads), "-o", f"{folder}/out.png"]
        try:
            ran = subprocess.run([*shlex.split(a.sdcpp), *steps], capture_output=True, text=True, errors="replace")
        except OSError as error:
            raise Trouble(f"stable-diffusion.cpp does not start: {error}") from error
    said = ran.stdout + ran.stderr
    if ran.returncode:
        last = [line for line in said.splitlines() if line.strip()][-1:]
        raise Trouble(f"stable-diffusion.cpp ended with code {ran.returncode}: {' '.join(last)}")
    # A bar of progress per step: `2/3 - 24.91s/it`, or `1.20it/s` where a step takes less than a second.
    bars = re.findall(r"(\d+)/3 - ([0-9.]+)\s?(s/it|it/s)", said)
    steps = {number: float(value) if unit == "s/it" else 1 / float(value) for number, value, unit in bars}
    if not {"2", "3"} <= steps.keys():
        raise Trouble("stable-diffusion.cpp told no seconds a step; this script reads bars as `2/3 - 24.91s/it`")
    return statistics.median([steps["2"], steps["3"]])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(f"bench_peers: {trouble}")
    except KeyboardInterrupt:
        sys.exit(130)
