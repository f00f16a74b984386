"""Keeps a long training polite and quick on a machine that others use too.

Two threads that meet at a barrier a hundred times a step are worth two cores only while both cores are free: with one
taken by a compiler, each barrier waits for a thread that is not running, and one thread alone is faster.
"""
import os, time
from datetime import datetime, timedelta, timezone
import torch


def seconds_until(clock):
    """Seconds from now to HH:MM today (UTC), at least zero."""
    hour, minute = map(int, clock.split(":"))
    now = datetime.now(timezone.utc)
    return max(0., (now.replace(hour=hour, minute=minute, second=0, microsecond=0) - now) / timedelta(seconds=1))


class Pace:
    """Call `tick` once a step: every few seconds it counts what other programs use and sets the number of threads."""

    def __init__(self, interval=4.):
        self.interval, self.cores = interval, os.cpu_count()
        self.threads = self.cores
        torch.set_num_threads(self.cores)
        self.mark = (time.time(), self._busy(), time.process_time())

    @staticmethod
    def _busy():
        """Processor seconds used by everyone, idle and waiting left out."""
        fields = [int(field) for field in open("/proc/stat").readline().split()[1:9]]
        return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")

    def tick(self):
        now, busy, own = time.time(), self._busy(), time.process_time()
        if now - self.mark[0] < self.interval: return
        others = (busy - self.mark[1] - own + self.mark[2]) / (now - self.mark[0])
        self.mark = now, busy, own
        threads = max(1, self.cores - int(others + .6))
        if threads != self.threads:
            self.threads = threads
            torch.set_num_threads(threads)
