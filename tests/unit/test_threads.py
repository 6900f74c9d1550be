"""How the threads of a long-lived process take turns."""

from __future__ import annotations

import subprocess
import sys

MEASURE = """
import threading, time
from rollout.runtime.threads import take_longer_turns
{begin}
changes, last, lock = [0], [None], threading.Lock()
end = time.monotonic() + 0.6
def work(me):
    while time.monotonic() < end:
        if last[0] is not me:
            last[0] = me
            changes[0] += 1
threads = [threading.Thread(target=work, args=(each,)) for each in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(changes[0])
"""


def changes(begin):
    command = [sys.executable, "-c", MEASURE.format(begin=begin)]
    return int(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)


def test_a_thread_ends_what_it_is_about_before_another_goes_on():
    assert changes("take_longer_turns()") < changes("") / 2
