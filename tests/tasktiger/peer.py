"""The Python side of the tests: a TaskTiger on the site's Redis, and tasks that do what their arguments say.

What a task does can be read in the Redis list `notes`, outside of TaskTiger's keys.
"""

import json
import os
import time

import redis
from tasktiger import TaskTiger
from tasktiger.retry import fixed

connection = redis.Redis(unix_socket_path=os.environ["PEER_REDIS"], decode_responses=True)
tiger = TaskTiger(
    connection=connection,
    config=json.loads(os.environ.get("PEER_CONFIG", "{}")),
    setup_structlog=True,
)


def note(text):
    connection.rpush("notes", text)


def fail(message):
    note(message)
    raise ValueError(message)


def sleep(seconds):
    note("sleeping")
    time.sleep(seconds)


def hold(name, path, **_):
    """Notes its begin, waits until somebody makes the file, and notes its end."""
    note(f"begin {name}")
    while not os.path.exists(path):
        time.sleep(0.01)
    note(f"end {name}")


@tiger.task(retry_method=fixed(0.1, 3), retry_on=[ValueError])
def succeed_at(run):
    """Fails until this run."""
    runs = connection.incr("runs")
    note(f"run {runs}")
    if runs < run:
        raise ValueError(f"run {runs} of {run}")


@tiger.task(unique=True)
def unique(text):
    note(text)


@tiger.task(batch=True)
def batch(calls):
    note(json.dumps([call["args"] for call in calls]))
