"""Python's namesakes of the guest `probe`'s functions: tasks that either kind of worker can run, so that both can
be after the same lock, or the same queue.
"""

import os
import time

from peer import hold as hold_until
from peer import note, tiger


def hold(path, **_):
    # The guest sees the site's folder `signals` as `/signals`.
    hold_until("python", os.environ["PEER_SITE"] + path)


def sleep(milliseconds):
    began = time.time()
    time.sleep(milliseconds / 1000)
    note(f"{tiger.current_task.id} {began} {time.time()}")
