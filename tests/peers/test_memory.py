"""What must hold of the watch and of the tables of memory, tried on programs that do next to nothing:
python -m unittest discover tests/peers"""
import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import bench_memory
from bench_memory import Page, ending, grown, limit_row, plan_row
from turns import Trouble
from watched import Group, Watched, can_limit, forget_pages, watch

MIB = 1 << 20
HOLD = """
import json, sys, time
say = lambda event, **facts: print(json.dumps({"event": event, **facts}), flush=True)
time.sleep(0.2)
say("started", node="denoise")
print("words that are no event", flush=True)
memory = bytearray(b"x" * (int(sys.argv[1]) << 20))
for step in range(4):
    time.sleep(0.1)
    say("progress", node="denoise", done=step + 1, of=4)
say("finished", node="denoise", how="ran", seconds=0.4)
"""


def python(code, *words):
    return [sys.executable, "-c", code, *map(str, words)]


def seen(**facts):
    return Watched(**{"seconds": 9.0, **facts})


def page():
    return Page(SimpleNamespace(out=None, json=None))


def quiet(work, *arguments, **named):
    with contextlib.redirect_stdout(io.StringIO()):
        return work(*arguments, **named)


class Watching(unittest.TestCase):
    def test_what_is_held_and_said_is_seen_with_its_time(self):
        run = watch(python(HOLD, 64), every=0.01)
        self.assertTrue(run.completed)
        self.assertEqual(len(run.events("progress", "denoise")), 4)
        self.assertEqual(run.events("progress", "decode"), [])
        self.assertEqual(len(run.steps()), 3)
        self.assertTrue(all(0.05 < step < 1 for step in run.steps()), run.steps())
        self.assertGreater(run.peak("anonymous"), 64 * MIB)
        self.assertGreater(run.peak("mapped"), 0)
        self.assertTrue(60 * MIB < grown(run, "denoise") < 140 * MIB, grown(run, "denoise"))
        self.assertIsNone(grown(run, "decode"))

    def test_a_program_that_fails_leaves_its_last_words(self):
        run = watch(python("import sys; sys.exit('no room')"), every=0.01)
        self.assertEqual((run.completed, run.code, run.last_words), (False, 1, "no room"))
        with self.assertRaises(Trouble) as caught:
            watch(["/no/such/program"])
        self.assertIn("does not start", str(caught.exception))

    def test_the_environment_is_handed_on(self):
        run = watch(python("import os; print(os.environ['WORD'])"), {"WORD": '{"event": "heard"}'}, every=0.01)
        self.assertEqual(len(run.events("heard")), 1)

    def test_pages_of_a_file_can_be_given_up_and_the_file_stays(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "a"
            file.write_bytes(b"abc" * 10_000)
            forget_pages(file)
            forget_pages(folder)
            self.assertEqual(file.read_bytes(), b"abc" * 10_000)


class Limits(unittest.TestCase):
    def setUp(self):
        why = can_limit()
        if why:
            self.skipTest(why)

    def test_a_program_within_its_limit_completes_and_is_counted(self):
        run = watch(python(HOLD, 64), limit=512 * MIB, every=0.01)
        self.assertTrue(run.completed and not run.killed)
        self.assertTrue(64 * MIB < run.group_peak <= 512 * MIB, run.group_peak)

    def test_a_program_beyond_its_limit_is_killed_and_its_group_removed(self):
        before = set(Path("/sys/fs/cgroup").glob("*/darkroom-bench-*"))
        run = watch(python(HOLD, 600), limit=128 * MIB, every=0.01)
        self.assertTrue(run.killed and not run.completed, run)
        self.assertEqual(set(Path("/sys/fs/cgroup").glob("*/darkroom-bench-*")), before)


class Groups(unittest.TestCase):
    """Both versions of the system's files, in folders that only look like them."""

    def files(self, root, version):
        if version == 2:
            (root / "cgroup.controllers").write_text("cpu memory\n")
        else:
            (root / "memory").mkdir()
        return root if version == 2 else root / "memory"

    def test_each_version_is_told_the_limit_in_its_own_file(self):
        names = {1: ("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
                 2: ("memory.max", "memory.peak", "memory.events")}
        for version, (limit, peak, events) in names.items():
            with tempfile.TemporaryDirectory() as folder:
                hierarchy = self.files(Path(folder), version)
                group = Group(4096, Path(folder))
                self.assertEqual(group.path.parent, hierarchy)
                self.assertEqual((group.path / limit).read_text(), "4096\n")
                (group.path / peak).write_text("1234\n")
                (group.path / events).write_text("low 0\noom_kill 2\n")
                self.assertEqual((group.peak(), group.kills()), (1234, 2))
                group.enter()
                self.assertEqual((group.path / "cgroup.procs").read_text(), "0\n")

    def test_without_a_hierarchy_there_is_no_group(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(OSError):
            Group(4096, Path(folder))


class Rows(unittest.TestCase):
    def side(self, run, name="darkroom"):
        return SimpleNamespace(name=name, size=512, limited=lambda limit, group: run)

    def steps(self, *times):
        return [(when, {"event": "progress", "node": "denoise"}) for when in times]

    def test_a_row_has_the_median_step_and_its_ratio_to_unlimited(self):
        run = seen(samples=[(0.0, 1e9, 2e9), (1.0, 3e9, 1e9)], said=self.steps(5.0, 7.0, 9.0, 12.0), group_peak=35 * 10**8)
        table, a = page(), SimpleNamespace(model=None)
        quiet(limit_row, a, table, self.side(run), 4 << 30, True, 1.6)
        self.assertEqual(table.lines, ["| 512² | 4 GiB | darkroom | yes | 3.00 | 2.00 | 3.50 | 2.00 | 1.25 | 9 |"])
        self.assertEqual(table.record[0]["step_seconds"], [2.0, 2.0, 3.0])
        self.assertEqual(quiet(limit_row, a, page(), self.side(run), None, True, None), 2.0)

    def test_a_run_of_ours_that_does_not_complete_is_a_failure_and_the_peers_is_a_row(self):
        run = seen(code=-9, killed=True, last_words="gone")
        for name, failures in [("darkroom", 1), ("diffusers bf16", 0)]:
            table = page()
            quiet(limit_row, SimpleNamespace(model=None), table, self.side(run, name), 3 << 30, True, 2.0)
            self.assertIn("| no: killed | 0.00 | 0.00 | – | – | – | – |", table.lines[0])
            self.assertEqual((table.failures, len(table.notes)), (failures, 1))

    def test_where_nothing_limits_the_samples_are_held_against_the_limit(self):
        run = seen(samples=[(0.0, 5e9, 0)])
        self.assertEqual(ending(run, 4 << 30, False), "no: above it")
        self.assertEqual(ending(run, 4 << 30, True), "yes")
        self.assertEqual(ending(seen(code=4), 4 << 30, True), "no: code 4")

    def test_a_plan_is_held_against_what_was_held_above_the_beginning(self):
        said = [(1.0, {"event": "started", "node": "denoise"}), (5.0, {"event": "finished", "node": "denoise"})]
        samples = [(0.5, 1e8, 0), (2.0, 5.1e9, 9e9), (6.0, 9e9, 0)]
        for planned, row in [(5.4e9, "| 5.40 | 5.00 | +8 % | yes |"), (4e9, "| 4.00 | 5.00 | -20 % | no |")]:
            table = page()
            quiet(plan_row, table, 1024, "denoise", (5e9, 4e8, planned), seen(samples=samples, said=said), "denoise")
            self.assertEqual(table.lines, [f"| 1024² | denoise | 5.00 | 0.40 {row}"])
        table = page()
        quiet(plan_row, table, 1024, "decode", (1, 1, 2), seen(samples=samples, said=said), "decode")
        self.assertEqual(table.failures, 1)

    def test_a_workflow_is_written_with_the_model_and_the_size(self):
        with tempfile.TemporaryDirectory() as folder:
            built = Path(folder)
            (built / "darkroom").write_text("")
            a = SimpleNamespace(work=built, built=built, model=Path("/models/a \"b\".safetensors"), steps=5, quality="fast")
            command = [str(word) for word in bench_memory.Ours(a, 768).command("--events")]
            self.assertEqual(command[-4:], ["--allow", "/models", "--quality", "fast"])
            workflow = (built / "picture-768.ron").read_text()
            self.assertIn('source: "a \\"b\\".safetensors"', workflow)
            self.assertIn("width: 768, height: 768", workflow)
            self.assertIn("steps: 5,", workflow)


if __name__ == "__main__":
    unittest.main()
