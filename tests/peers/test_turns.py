"""What must hold of the turns, tried on programs that do nothing: python -m unittest discover tests/peers"""
import sys
import tempfile
import time
import unittest
from pathlib import Path

from turns import Side, Trouble, anew, together

HERE = Path(__file__).resolve().parent
TOY = """
import os, sys, time
sys.path.insert(0, os.environ["PEERS"])
from turns import serve
import json
name, log, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])

def reply(line):
    with open(log, "a") as file:
        file.write(f"{name} begins {os.getpid()}\\n")
        file.flush()
        time.sleep(0.02)
        file.write(f"{name} ends {os.getpid()}\\n")
    return {"seconds": pause}

serve({"ready": True}, reply)
print(json.dumps({"peak_rss_bytes": 7}))
"""


class Turns(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name) / "log"

    def side(self, name, seconds):
        return Side(name, [sys.executable, "-c", TOY, name, self.log, seconds], {"PEERS": str(HERE)})

    def dying(self, code):
        return Side("toy", [sys.executable, "-c", code], {"PEERS": str(HERE)}, patience=20)

    def test_two_sides_never_work_at_one_time_and_each_begins_every_other_round(self):
        for way, processes in [(together, 2), (anew, 6)]:
            self.log.write_text("")
            pairs = way(self.side("a", 1.0), self.side("b", 4.0), 3)
            log = [line.split() for line in self.log.read_text().splitlines()]
            begun, ended = log[::2], log[1::2]
            self.assertEqual([name for name, _, _ in begun], list("abbaab"))
            self.assertTrue(all(what == "begins" for _, what, _ in begun))
            self.assertEqual([(name, "ends", process) for name, _, process in begun], [tuple(line) for line in ended])
            self.assertEqual(len({process for _, _, process in begun}), processes)
            self.assertEqual((pairs.ours, pairs.peer, pairs.ratio), ([1.0] * 3, [4.0] * 3, 0.25))
            self.assertEqual([report["peak_rss_bytes"] for report in pairs.reports], [7, 7])

    def test_a_side_that_dies_says_how_in_its_last_words(self):
        for code, words in [
            ("import sys; sys.exit('no torch here')", "ended with code 1: no torch here"),
            ("import os; os.kill(os.getpid(), 9)", "no memory left"),
            ("print('hello')", "says `hello` where an answer was due"),
            ("print('[]')", "says `[]` where an answer was due"),
        ]:
            side = self.dying(code)
            with self.assertRaises(Trouble) as caught:
                side.start()
            self.assertIn(words, str(caught.exception))
            side.kill()

    def test_a_side_that_dies_between_turns_leaves_no_other_behind(self):
        ours = self.side("a", 1.0)
        peer = self.dying("print('{}', flush=True); input(); raise SystemExit('out of luck')")
        with self.assertRaises(Trouble) as caught:
            together(ours, peer, 2)
        self.assertIn("out of luck", str(caught.exception))
        self.assertIsNone(ours.process)

    def test_a_side_that_is_gone_before_its_turn_says_so(self):
        side = self.dying("print('{}', flush=True); raise SystemExit('could not wait')").start()
        time.sleep(0.5)
        with self.assertRaises(Trouble) as caught:
            side.ask("go")
        self.assertIn("could not wait", str(caught.exception))
        side.kill()

    def test_a_side_that_is_silent_too_long_is_given_up(self):
        side = self.dying("import time; time.sleep(60)")
        side.patience = 0.3
        with self.assertRaises(Trouble) as caught:
            side.start()
        self.assertIn("has not answered", str(caught.exception))
        side.kill()

    def test_a_program_that_is_not_there_is_named(self):
        with self.assertRaises(Trouble) as caught:
            Side("toy", ["/no/such/program"]).start()
        self.assertIn("does not start", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
