"""What must hold of the tables, tried on made-up measurements: python -m unittest discover tests/peers"""
import contextlib
import io
import shlex
import sys
import unittest
from types import SimpleNamespace

import bench_ops
import bench_peers
from bench_peers import ROWS, Table, check_mask, how, sdcpp_step
from turns import Pairs, Trouble, anew, together

PEAKS = {"f32": 500.0, "f32_avx2": 250.0, "bf16": 1000.0, "int8": None, "copy_gb": 40.0}


def settings(**others):
    return SimpleNamespace(**{"out": None, "json": None, "size": None, "sdcpp": None, "threads": 2, "pairs": "auto",
                              "rounds": 1, **others})


def printed(row, pairs, **others):
    table = Table(settings(**others))
    table.peaks = PEAKS
    with contextlib.redirect_stdout(io.StringIO()):
        table.row(row, ROWS[row], pairs)
        table.end()
    return table.lines


def pairs(ours, peer, ours_gb=5.0, peer_gb=6.0, others=0.0):
    reports = ({"peak_rss_bytes": ours_gb * 1e9},
               {"peak_rss_bytes": peer_gb * 1e9, "rss_at_start_bytes": 5e8, "program": "torch"})
    return Pairs(ours, peer, reports, others)


class Rows(unittest.TestCase):
    def test_a_ratio_is_the_middle_of_the_ratios_of_neighbours(self):
        row = printed("unet-512-fast", pairs([4.0, 8.0, 4.0], [5.0, 10.0, 5.0]))[0]
        self.assertIn("| 5.00 | 4.00 | 0.80 | ≤ 0.90 | yes | 6.00 | 5.00 | 80 % | 0 % |", row)

    def test_a_goal_that_is_missed_is_not_met(self):
        self.assertIn("| 1.00 | ≤ 0.90 | no |", printed("unet-512-fast", pairs([5.0], [5.0]))[0])

    def test_memory_has_rows_of_its_own(self):
        over = printed("unet-512-fast", pairs([4.0], [5.0], ours_gb=5.7))[1]
        self.assertIn("| 0.95 | ≤ 5.6 GB | no | 6.00 | 5.70 |", over)
        half = printed("vae-512-fast", pairs([4.0], [5.0], ours_gb=1.5, peer_gb=3.0))[1]
        self.assertIn("| 0.50 | ≤ 0.50 | yes |", half)

    def test_a_noisy_machine_is_told(self):
        self.assertIn("| 20 % (too many) |", printed("clip-fast", pairs([1.0], [1.0], others=0.2))[0])

    def test_a_quoted_peer_names_the_machine_it_was_quoted_from(self):
        lines = printed("unet-512-int8", pairs([4.6], [5.0]))
        self.assertIn("stable-diffusion.cpp, quoted | 23.00 | 4.60 | 0.20 | ≤ 0.20 | yes |", lines[1])
        self.assertTrue(any("574 GFLOP/s" in line and "0.87 of it" in line for line in lines), lines)

    def test_what_does_not_fit_together_takes_turns_anew_and_what_never_fits_is_refused(self):
        real = bench_peers.free_gib
        self.addCleanup(setattr, bench_peers, "free_gib", real)
        for free, want in [(30.0, together), (22.0, anew)]:
            bench_peers.free_gib = lambda free=free: free
            self.assertIs(how(ROWS["unet-512-exact"], settings()), want)
        bench_peers.free_gib = lambda: 8.0
        with self.assertRaisesRegex(Trouble, "one side wants 12.0 GiB and 6.5 may be taken"):
            how(ROWS["unet-512-exact"], settings())

    def test_a_row_of_masked_features_wants_to_hear_that_they_were_masked(self):
        row, found = ROWS["unet-512-exact-avx2"], pairs([1.0], [1.0])
        with self.assertRaisesRegex(Trouble, "`avx2` by DARKROOM_CPU, and says nothing of it"):
            check_mask(row, found)
        found.reports[0]["cpu"] = "avx2"
        check_mask(row, found)
        check_mask(ROWS["clip-fast"], found)

    def test_steps_of_stable_diffusion_cpp_are_read_without_the_first_which_loads(self):
        bars = "|==> | 1/3 - 60.00s/it\\r|==> | 2/3 - 25.00s/it\\r|==> | 3/3 - 24.00s/it\\n"
        code = f"import sys; assert sys.argv[sys.argv.index('--steps') + 1] == '3'; print('{bars}')"
        command = f"{sys.executable} -c {shlex.quote(code)}"
        self.assertEqual(sdcpp_step(settings(sdcpp=command)), 24.5)
        with self.assertRaisesRegex(Trouble, "ended with code 1: no model"):
            sdcpp_step(settings(sdcpp=f"""{sys.executable} -c 'raise SystemExit("no model")'"""))


class Operations(unittest.TestCase):
    def test_the_roofline_is_the_longer_of_arithmetic_and_memory(self):
        self.assertEqual(bench_ops.roofline(1e9, 1, 500.0, PEAKS), 1e9 / 500e9)
        self.assertEqual(bench_ops.roofline(0, 40e9, 500.0, PEAKS), 1.0)

    def test_a_page_counts_the_large_layers_and_tells_what_was_refused(self):
        facts = {"op": "conv3 2 9 9 9", "flops": 10e9, "bytes": 4e6, "bytes_a_value": 4, "arithmetic": "f32"}
        found = [
            {"facts": facts, "refused": None, "pairs": Pairs([0.024], [0.050]), "way": "plain"},
            {"facts": {"op": "cat 1 1 1"}, "refused": "PyTorch: no", "pairs": None},
        ]
        page = bench_ops.page(found, PEAKS, "f32", "a machine")
        self.assertIn("| `conv3 2 9 9 9` | 50.000 | plain | 24.000 | 0.48 | 417 | 83 % | 40 % |", page)
        self.assertIn("| `cat 1 1 1` | not measured: PyTorch: no |", page)
        self.assertIn("1 of 1; the least is 83 %", page)


if __name__ == "__main__":
    unittest.main()
