"""The process that test_history kills: saves turns as fast as it can, and says each one that is kept."""

import sys
import time
from pathlib import Path

from rag_app.outputs.history import History
from rag_app.records import Answer, Citation

history = History(Path(sys.argv[1]))
name = sys.argv[2]
cited = tuple(Citation(number, "a.pdf", "A", number, "1", "", f"quote {number}", True) for number in range(1, 40))
for number in range(100_000):
    turn = history.save_turn(
        name, Answer("", f"question {number}", "answered", f"answer {number} [1]", "quoting", cited)
    )
    history.rate(turn, "up", "good")
    print(number, flush=True)
    time.sleep(0.005)  # SQLite's lock is not fair: the other writer must get its turn
