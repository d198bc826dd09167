"""No-op tasks of Celery over Redis: how many a second, and from the end of one to the start of the next in a chain."""

import os
import sys
import time

from celery import Celery, chain

address = f"redis+socket://{os.environ['REDIS_SOCKET']}"
app = Celery("celery_tasks", broker=address, backend=address)
app.conf.worker_prefetch_multiplier = 64


@app.task
def noop():
    return None


@app.task
def step(times):
    return times + [time.monotonic()]


def main():
    count = 5000
    rate = 0
    for number in (200, count):
        client = app.backend.client
        client.flushdb()
        begin = time.monotonic()
        with app.producer_pool.acquire() as producer:
            for _ in range(number):
                noop.apply_async(producer=producer)
        # Each leaves its result; asking for results one by one would cost more than the tasks.
        while sum(1 for _ in client.scan_iter("celery-task-meta-*", 10_000)) < number:
            time.sleep(0.1)
        rate = number / (time.monotonic() - begin)
    # A task's time is both its start and its end: it does nothing.
    times = chain(step.s([]), *(step.s() for _ in range(300)))().get(timeout=600)
    gaps = sorted(after - before for before, after in zip(times, times[1:]))
    print(rate, gaps[len(gaps) // 2] * 1000, gaps[len(gaps) * 99 // 100] * 1000)


if __name__ == "__main__":
    sys.exit(main())
