"""A program under watch: what it holds every 50 ms, anonymous and mapped apart; what it says, with the time at which it
said it; and, where the system lets us, a group that it cannot hold more than so many bytes in.

The limit is that of a memory cgroup, version 1 or 2, made at the root of its hierarchy and removed afterwards: pages of
files count there as they do in a container. Nobody's address space is limited, for what is mapped is not held. Where no
group can be made, the program runs free and what was sampled is held against the limit. Needs Linux and nothing but
Python.
"""
import json
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from turns import Trouble

EVERY = 0.05
HIERARCHIES = Path("/sys/fs/cgroup")


class Group:
    """A memory cgroup of its own. `enter` puts the calling process into it."""

    def __init__(self, limit, root=HIERARCHIES):
        self.newer = "memory" in read(root / "cgroup.controllers").split()
        hierarchy = root if self.newer else root / "memory"
        self.path = hierarchy / f"darkroom-bench-{os.getpid()}-{time.monotonic_ns()}"
        self.path.mkdir()
        try:
            if self.newer:
                self._write("memory.max", limit)
                # Memory that went to the swap would not be missed.
                self._write("memory.swap.max", 0, needed=False)
            else:
                self._write("memory.limit_in_bytes", limit)
                self._write("memory.memsw.limit_in_bytes", limit, needed=False)
        except OSError:
            self.path.rmdir()
            raise

    def _write(self, file, value, needed=True):
        if needed or (self.path / file).exists():
            (self.path / file).write_text(f"{value}\n")

    def enter(self):
        (self.path / "cgroup.procs").write_text("0\n")

    def peak(self):
        """Returns the most bytes that were ever counted here, pages of files with them; None where nobody counts."""
        words = read(self.path / ("memory.peak" if self.newer else "memory.max_usage_in_bytes"))
        return int(words) if words else None

    def kills(self):
        """Returns how many processes were killed here because memory had run out."""
        words = read(self.path / ("memory.events" if self.newer else "memory.oom_control")).split()
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0

    def close(self):
        # The last pages are given up a little after the last process.
        for _ in range(50):
            try:
                self.path.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.1)
        raise Trouble(f"the group {self.path} cannot be removed; a process may still be in it")


def read(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def can_limit():
    """Tells why no group can be made here; nothing where one can."""
    try:
        Group(1 << 30).close()
    except OSError as error:
        return f"no memory cgroup can be made here ({error.strerror}: {error.filename})"
    return None


@dataclass
class Watched:
    """What a program did. Times are in seconds since its start, memory is in bytes."""
    code: int = 0
    seconds: float = 0.0
    # (time, anonymous, mapped)
    samples: list = field(default_factory=list)
    # (time, what was said)
    said: list = field(default_factory=list)
    last_words: str = ""
    group_peak: int = None
    killed: bool = False

    @property
    def completed(self):
        return self.code == 0

    def peak(self, what="anonymous", since=0.0, until=float("inf")):
        """Returns the most that was held of `anonymous`, of `mapped` or of `both` in some time; 0 where nobody looked."""
        value = {"anonymous": lambda s: s[1], "mapped": lambda s: s[2], "both": lambda s: s[1] + s[2]}[what]
        return max((value(sample) for sample in self.samples if since <= sample[0] <= until), default=0)

    def at(self, when):
        """Returns the anonymous memory at the last look before a time, or at the first there was."""
        before = [sample[1] for sample in self.samples if sample[0] <= when]
        return before[-1] if before else self.samples[0][1] if self.samples else 0

    def events(self, kind, node=None):
        return [(when, event) for when, event in self.said
                if event.get("event") == kind and node in (None, event.get("node"))]

    def steps(self, node="denoise"):
        """Returns the seconds of a node's steps but the first, which loads."""
        times = [when for when, _ in self.events("progress", node)]
        return [after - before for before, after in zip(times, times[1:])]


def watch(command, environment=None, limit=None, every=EVERY, patience=4 * 3600):
    """Runs a program to its end; `limit` is the bytes it may hold, files with it."""
    group = Group(limit) if limit else None
    try:
        with tempfile.TemporaryFile() as words:
            return _watch([str(word) for word in command], environment or {}, group, words, every, patience)
    finally:
        if group:
            group.close()


def _watch(command, environment, group, words, every, patience):
    seen, begun = Watched(), time.monotonic()
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, env={**os.environ, **environment},
                                   preexec_fn=group.enter if group else None)
    except (OSError, subprocess.SubprocessError) as error:
        raise Trouble(f"{command[0]} does not start: {error}") from error
    listening = threading.Thread(target=_listen, args=(process.stdout, seen, begun))
    listening.start()
    try:
        while process.poll() is None:
            sample = _sample(process.pid)
            if sample:
                seen.samples.append((time.monotonic() - begun, *sample))
            if time.monotonic() - begun > patience:
                raise Trouble(f"{command[0]} has not ended after {patience} s")
            time.sleep(every)
    finally:
        process.kill()
        process.wait()
        listening.join()
    seen.code, seen.seconds = process.returncode, time.monotonic() - begun
    if group:
        seen.group_peak, seen.killed = group.peak(), group.kills() > 0
    words.seek(0)
    lines = [line for line in words.read().decode(errors="replace").splitlines() if line.strip()]
    seen.last_words = " | ".join(lines[-3:])
    return seen


def _listen(output, seen, begun):
    with output:
        for line in output:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                seen.said.append((time.monotonic() - begun, event))


def _sample(pid):
    """Returns what a process holds, anonymous and mapped; nothing for one that has ended."""
    fields = {}
    for line in read(f"/proc/{pid}/status").splitlines():
        name, _, value = line.partition(":")
        if name in ("RssAnon", "RssFile", "RssShmem"):
            fields[name] = int(value.split()[0]) * 1024
    return (fields["RssAnon"], fields["RssFile"] + fields["RssShmem"]) if len(fields) == 3 else None


def forget_pages(path):
    """Asks the system to drop the pages of a file, or of all below a folder, that it keeps in memory: they would be
    nobody's in a limited group."""
    path = Path(path)
    for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
