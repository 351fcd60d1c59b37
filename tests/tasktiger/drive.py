"""TaskTiger's producer and its `Task` API, one call for each run of this program: `drive.py VERB ARGUMENTS`.

The arguments are a JSON object, and so is the answer on standard output. An exception of TaskTiger's own is an
answer too: `{"raised": "TaskNotFound"}`. Times and durations are in seconds.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

import peer
from peer import tiger
from tasktiger import Task, fixed
from tasktiger.exceptions import JobTimeoutException, QueueFullException, TaskNotFound


def function(name):
    """A function of the peer's, or one that only has the right name: of Margay's, say."""
    module, qualname = name.split(":")
    if module == "peer":
        return getattr(peer, qualname)

    def stub(): ...

    stub.__module__, stub.__qualname__ = module, qualname
    return stub


def delay(func, calls=None, seconds=None, retry=None, retry_on_timeout=False, margay=None, **options):
    """Enqueues one task, or one for each list of positional arguments in `calls`.

    `margay` goes into the payload as it is: options that only Margay knows.
    """
    if seconds is not None:
        options["when"] = timedelta(seconds=seconds)
    if retry is not None:
        options["retry_method"] = fixed(*retry)
    if retry_on_timeout:
        options["retry_on"] = [JobTimeoutException]
    if margay is not None:
        when = options.pop("when", None)
        task = Task(tiger, function(func), **options)
        task.data["margay"] = margay
        task.delay(when=when)
        return shown(task)
    if calls is None:
        return shown(tiger.delay(function(func), **options))
    return [tiger.delay(function(func), args=args, **options).id for args in calls]


def find(queue, state, id):
    task = Task.from_id(tiger, queue, state, id, load_executions=100)
    return {**shown(task), "executions": task.executions, "n_executions": task.n_executions()}


def tasks(queue, state):
    total, tasks = Task.tasks_from_queue(tiger, queue, state, load_executions=100)
    return {"total": total, "tasks": [{**shown(task), "executions": task.executions} for task in tasks]}


def retry(queue, id):
    Task.from_id(tiger, queue, "error", id).retry()


def delete(queue, id):
    Task.from_id(tiger, queue, "error", id).delete()


def cancel(queue, id):
    Task.from_id(tiger, queue, "scheduled", id).cancel()


def reschedule(queue, id, seconds):
    task = Task.from_id(tiger, queue, "scheduled", id)
    task.update_scheduled_time(timedelta(seconds=seconds))
    return shown(task)


def purge(**options):
    return tiger.purge_errored_tasks(**options)


def stats():
    return tiger.get_queue_stats()


def sizes(queue):
    return tiger.get_queue_sizes(queue)


def lock_queue(queue, seconds):
    tiger.set_queue_system_lock(queue, seconds)


def queue_lock(queue):
    return tiger.get_queue_system_lock(queue)


def shown(task):
    # Not `repr(task)`, which imports the function.
    times = {"time_last_queued": task.time_last_queued, "scheduled_at": task.scheduled_at, "ts": task.ts}
    return {
        "id": task.id,
        "queue": task.queue,
        "state": task.state,
        "func": task.serialized_func,
        "data": task.data,
        **{name: since_epoch(time) for name, time in times.items()},
    }


def since_epoch(time):
    if not isinstance(time, datetime):
        return time
    return time.replace(tzinfo=timezone.utc).timestamp()


VERBS = [delay, find, tasks, retry, delete, cancel, reschedule, purge, stats, sizes, lock_queue, queue_lock]

if __name__ == "__main__":
    verb = {verb.__name__: verb for verb in VERBS}[sys.argv[1]]
    try:
        answer = verb(**json.loads(sys.argv[2]))
    except (TaskNotFound, QueueFullException) as error:
        answer = {"raised": type(error).__name__}
    print(json.dumps(answer))
