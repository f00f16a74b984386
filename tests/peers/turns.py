"""How two programs take turns, so that they never compute at one time: both ends of it.

A program that serves prints a greeting once it has loaded and warmed up, then answers each line of its input with one
line. Every answer is a JSON object on a line of its own. `end`, or the end of the input, ends the turns; what it prints
after that is its report. `tests/src/bench/turns.rs` is the same in Rust.

A driver starts a `Side` for each program and asks them in turn (`in_turn`), or, where both do not fit into memory,
starts each anew for every turn (`anew`). Needs nothing but Python.
"""
import json
import os
import resource
import selectors
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

TICKS = os.sysconf("SC_CLK_TCK")
GIB = 1 << 30


class Trouble(Exception):
    """Something that a person can mend, in one sentence."""


# The end that works.

def serve(greeting, reply):
    """Greets, then answers the lines of standard input until the end."""
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        line = line.strip()
        if line == "end":
            break
        if line:
            print(json.dumps(reply(line)), flush=True)


def memory(field_):
    """Returns `VmHWM` (the most so far) or `VmRSS` (now) of this process in bytes."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field_ + ":"):
                return int(line.split()[1]) * 1024
    raise Trouble(f"this system tells no {field_}; memory is read from Linux's /proc")


# The end that drives.

class Side:
    """One program, alive from `start` to `finish`."""

    def __init__(self, name, command, environment=None, patience=3600):
        self.name, self.command, self.patience = name, [str(word) for word in command], patience
        self.environment = environment or {}
        self.process = None

    def start(self):
        self.words = tempfile.TemporaryFile()
        self.buffer = b""
        try:
            self.process = subprocess.Popen(
                self.command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.words,
                env={**os.environ, **self.environment})
        except OSError as error:
            self.words.close()
            raise Trouble(f"{self.name} does not start: {error}") from error
        self.greeting = self._answer()
        return self

    def ask(self, line):
        """Sends a line and returns the answer."""
        self._send(line)
        return self._answer()

    def finish(self):
        """Ends the turns and returns the report."""
        self._send("end")
        report = self._answer()
        self.process.stdin.close()
        self.process.wait(self.patience)
        self._forget()
        return report

    def kill(self):
        """Ends the program, whatever it does; nothing where it has ended."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self._forget()

    def cpu_seconds(self):
        """Returns the processor time that the program took so far; 0 where it is not alive."""
        try:
            with open(f"/proc/{self.process.pid}/stat") as stat:
                words = stat.read().rsplit(")", 1)[1].split()
        except (AttributeError, OSError):
            return 0.0
        return (int(words[11]) + int(words[12])) / TICKS

    def _send(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except OSError:
            raise self._death() from None

    def _answer(self):
        line = self._line()
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Trouble(f"{self.name} says `{line.decode(errors='replace').strip()[:200]}` where an answer was due")
        return answer

    def _line(self):
        deadline = time.monotonic() + self.patience
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.buffer:
                if not ready.select(max(0.0, deadline - time.monotonic())):
                    raise Trouble(f"{self.name} has not answered for {self.patience} s")
                part = os.read(self.process.stdout.fileno(), 1 << 16)
                if not part:
                    raise self._death()
                self.buffer += part
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def _death(self):
        """Says how the program died, in its own last words."""
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            return Trouble(f"{self.name} has closed its output and is still running")
        if code == -9:
            how = "was killed from outside, as a system does that has no memory left; free some"
        elif code < 0:
            how = f"died of signal {-code}"
        else:
            how = f"ended with code {code}"
        self.words.seek(0)
        last = [line for line in self.words.read().decode(errors="replace").splitlines() if line.strip()][-3:]
        return Trouble(f"{self.name} {how}" + (": " + " | ".join(last) if last else ""))

    def _forget(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.words.close()
        self.process = None


@dataclass
class Pairs:
    """What two sides took, turn by turn, and what else the machine did meanwhile."""
    ours: list = field(default_factory=list)
    peer: list = field(default_factory=list)
    reports: tuple = ()
    others: float = 0.0

    @property
    def medians(self):
        return statistics.median(self.ours), statistics.median(self.peer)

    @property
    def ratio(self):
        """The middle of the ratios of neighbours: what slows both for a while does not show."""
        return statistics.median(a / b for a, b in zip(self.ours, self.peer))


class Watch:
    """Counts the share of the processors that went to neither side while one of them worked."""

    def __init__(self, sides):
        self.sides, self.idle, self.foreign, self.whole = sides, None, 0.0, 0.0

    def __enter__(self):
        self.before = self._now()

    def __exit__(self, *_):
        busy, own, clock = (now - then for now, then in zip(self._now(), self.before))
        self.foreign += max(0.0, busy - own)
        self.whole += clock * os.cpu_count()

    def _now(self):
        with open("/proc/stat") as stat:
            user, nice, system, _, _, irq, softirq, steal = (int(word) for word in stat.readline().split()[1:9])
        busy = (user + nice + system + irq + softirq + steal) / TICKS
        return busy, sum(side.cpu_seconds() for side in self.sides), time.monotonic()

    @property
    def share(self):
        return self.foreign / self.whole if self.whole else 0.0


class Ended:
    """The programs that this one started and has waited for, as a side that `Watch` can ask."""

    @staticmethod
    def cpu_seconds():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


def in_turn(ours, peer, rounds, go="go", pause=0.3, seconds=lambda answer: answer["seconds"], watch=None):
    """Lets two live sides work in turn, each first in every other round. A pause lets the threads of the one before
    stop looking for more work."""
    pairs, watch = Pairs(), watch or Watch((ours, peer))
    for turn in range(rounds):
        sides = [(ours, pairs.ours), (peer, pairs.peer)]
        for side, times in sides[::-1] if turn % 2 else sides:
            time.sleep(pause)
            with watch:
                answer = side.ask(go)
            times.append(seconds(answer))
    pairs.others = watch.share
    return pairs


def together(ours, peer, rounds):
    """Loads both, then lets them work in turn."""
    try:
        ours.start()
        peer.start()
        pairs = in_turn(ours, peer, rounds)
        pairs.reports = (ours.finish(), peer.finish())
        return pairs
    finally:
        ours.kill()
        peer.kill()


def anew(ours, peer, rounds):
    """Starts each side anew for its turn, so that one is in memory at a time. Memory is the most of all turns."""
    pairs, watch, reports = Pairs(), Watch((ours, peer)), ({}, {})
    for turn in range(rounds):
        sides = [(ours, pairs.ours, reports[0]), (peer, pairs.peer, reports[1])]
        for side, times, report in sides[::-1] if turn % 2 else sides:
            try:
                side.start()
                with watch:
                    answer = side.ask("go")
                times.append(answer["seconds"])
                new = side.finish()
            finally:
                side.kill()
            most = max(report.get("peak_rss_bytes", 0), new.get("peak_rss_bytes", 0))
            report.update(new, peak_rss_bytes=most)
    pairs.others, pairs.reports = watch.share, reports
    return pairs


def free_gib():
    """Returns the memory that programs could still take, in GiB."""
    with open("/proc/meminfo") as meminfo:
        for line in meminfo:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 / GIB
    raise Trouble("this system tells no MemAvailable; memory is read from Linux's /proc")


def machine():
    """Returns one line about the machine and how busy it is."""
    model = "a processor without a name"
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores of {model}, {free_gib():.0f} GiB free, load {load:.1f} before the start"
