"""Holds darkroom's layers against PyTorch's, operation by operation, and tells what share of the roofline each reaches.

    just bench-ops                       every operation of ops.txt, exact
    just bench-ops --mode fast conv3     those with `conv3` in their line

Both programs are alive at once and work strictly in turn. A time is the median of all rounds, of PyTorch's fastest way
(plain or channels last); a ratio the median of the ratios of neighbours. The roofline of an operation is the longer
of two times: its arithmetic at the peak of the registers, and its reads and writes, each value once, at the speed of a
copy in memory. Both are measured in the same run, before the first operation and after the last, and the higher counts.
Small operations stay in the caches and can pass the second bound.

Needs the same as `bench_peers.py`.
"""
import argparse
import json
import os
import statistics
import sys
from pathlib import Path

from bench_peers import BRIEF, LOUD, ROOT, TUNED_MALLOC, program, words_for
from turns import Pairs, Side, Trouble, Watch, in_turn, machine

HERE = Path(__file__).resolve().parent
DTYPES = {"exact": "f32", "fast": "bf16", "int8": "bf16"}
BYTES = {"f32": 4, "bf16": 2}
HEAD = ["operation", "PyTorch ms", "way", "darkroom ms", "ratio", "GFLOP/s", "share of roofline", "PyTorch's share"]
# From this much arithmetic on, a convolution or linear layer counts as large.
LARGE_FLOPS = 5e9
LARGE_GOAL = 0.8


def main():
    a = flags()
    lines = [line for line in (HERE / "ops.txt").read_text().splitlines() if line and not line.startswith("#")]
    chosen = [line for line in lines if not a.only or any(word in line for word in a.only)]
    if not chosen:
        words = " or ".join(f"`{word}`" for word in a.only)
        raise Trouble(f"no operation has {words} in its line; see tests/peers/ops.txt")
    dtype = DTYPES[a.mode]
    ours = Side("darkroom", [program(a, "ops_bench"), "--serve", "--mode", a.mode, "--threads", a.threads], BRIEF)
    peer = Side("PyTorch", [a.python, HERE / "torch_ops.py", "--serve", "--dtype", dtype, "--threads", a.threads],
                TUNED_MALLOC)
    try:
        busy = machine()
        ours.start()
        peer.start()
        watch = Watch((ours, peer))
        with watch:
            peaks = [ours.ask("peak")]
        found = [measure(line, ours, peer, a, watch) for line in chosen]
        with watch:
            peaks.append(ours.ask("peak"))
        reports = ours.finish(), peer.finish()
    finally:
        ours.kill()
        peer.kill()
    best = {key: max((p[key] for p in peaks if p[key]), default=None) for key in peaks[0]}
    head = f"{busy}; {a.threads} threads, {a.rounds} rounds; {reports[1]['program']} {dtype}, darkroom `{a.mode}`"
    text = page(found, best, dtype, head)
    if watch.share > LOUD:
        text += f"\nOther programs took {100 * watch.share:.0f} % of the processors meanwhile: measure again.\n"
    print(text, end="")
    if a.out:
        a.out.write_text(text)
    if a.json:
        record = [{**op["facts"], "ours": op["pairs"].ours, "peer": op["peer"]} for op in found if op["pairs"]]
        a.json.write_text(json.dumps({"peaks": best, "others": watch.share, "ops": record}, indent=1) + "\n")


def flags():
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("only", nargs="*", metavar="WORD", help="only lines of ops.txt with this in them")
    ap.add_argument("--mode", choices=list(DTYPES), default="exact")
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--python", default=sys.executable, help="a Python that has torch")
    ap.add_argument("--built", type=Path, default=built, help="folder of `ops_bench`")
    ap.add_argument("--out", type=Path, help="write the page here, too")
    ap.add_argument("--json", type=Path, help="write every second of every round here")
    return ap.parse_args()


def measure(line, ours, peer, a, watch):
    """Readies an operation on both sides and lets them take turns."""
    print(line, file=sys.stderr, flush=True)
    facts, other = ours.ask(line), peer.ask(line)
    answers = [(ours.name, facts), (peer.name, other)]
    refused = [f"{name}: {answer['refused']}" for name, answer in answers if answer.get("refused")]
    if refused:
        return {"facts": facts, "refused": "; ".join(refused), "pairs": None}
    pairs = in_turn(ours, peer, a.rounds, pause=0.05, seconds=lambda answer: answer["seconds"], watch=watch)
    ways = pairs.peer[0]
    way = min(ways, key=lambda name: statistics.median(sample[name] for sample in pairs.peer))
    fastest = Pairs([sample["darkroom"] for sample in pairs.ours], [sample[way] for sample in pairs.peer])
    return {"facts": facts, "refused": None, "pairs": fastest, "way": way, "peer": pairs.peer}


def page(found, peaks, dtype, head):
    """Returns the table and what it says of the large layers."""
    lines = [head, "", words_for(peaks), "", cells(HEAD), "|" + "---|" * len(HEAD)]
    large = []
    for op in found:
        facts = op["facts"]
        if op["refused"]:
            lines.append(cells([f"`{facts['op']}`", f"not measured: {op['refused']}".replace("|", "/")]))
            continue
        ours, peer = op["pairs"].medians
        floor = roofline(facts["flops"], facts["bytes"], peaks[facts["arithmetic"]] or peaks["f32"], peaks)
        # The peer's own bound: the type that it computes in, whatever the mode here.
        bytes_ = facts["bytes"] // facts["bytes_a_value"] * BYTES[dtype]
        peer_floor = roofline(facts["flops"], bytes_, peaks[dtype] or peaks["f32"], peaks)
        share = floor / ours
        if facts["flops"] >= LARGE_FLOPS and facts["op"].split()[0] in ("conv3", "conv1", "linear"):
            large.append((share, facts["op"]))
        rate = f"{facts['flops'] / ours / 1e9:.0f}" if facts["flops"] else "–"
        shares = [f"{100 * share:.0f} %", f"{100 * peer_floor / peer:.0f} %"]
        lines.append(cells([f"`{facts['op']}`", f"{1e3 * peer:.3f}", op["way"], f"{1e3 * ours:.3f}",
                            f"{op['pairs'].ratio:.2f}", rate, *shares]))
    if large:
        met = sum(share >= LARGE_GOAL for share, _ in large)
        worst = min(large)
        lines += ["", f"Large convolutions and linear layers at {100 * LARGE_GOAL:.0f} % of the roofline or more: "
                      f"{met} of {len(large)}; the least is {100 * worst[0]:.0f} %, `{worst[1]}`."]
    return "\n".join(lines) + "\n"


def roofline(flops, bytes_, gflops, peaks):
    """Returns the seconds that the machine needs at least."""
    arithmetic = flops / (gflops * 1e9) if gflops else 0.0
    return max(arithmetic, bytes_ / (peaks["copy_gb"] * 1e9))


def cells(words):
    return "| " + " | ".join([*words, *["–"] * (len(HEAD) - len(words))]) + " |"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(f"bench_ops: {trouble}")
    except KeyboardInterrupt:
        sys.exit(130)
