"""No-op tasks of Prefect against a server of its own: how many a second, and from the end of one to the start of the next."""

import sys
import time

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task
def step(before=None):
    return time.monotonic()


@flow(task_runner=ThreadPoolTaskRunner(max_workers=16))
def many(count):
    for future in [step.submit() for _ in range(count)]:
        future.result()


@flow
def chained(count):
    times = [step()]
    for _ in range(count):
        times.append(step(times[-1]))
    return times


def main():
    many(20)
    count = 300
    begin = time.monotonic()
    many(count)
    rate = count / (time.monotonic() - begin)
    times = chained(100)
    gaps = sorted(after - before for before, after in zip(times, times[1:]))
    print(rate, gaps[len(gaps) // 2] * 1000, gaps[len(gaps) * 99 // 100] * 1000)


if __name__ == "__main__":
    sys.exit(main())
