"""What is left when something is killed: nothing."""

import os
import signal
import unittest

from support import Host, Kernel, alive, descendants, wait_gone, wait_until

ENDLESS = (
    "import time\nfrom pyspark.sql.functions import udf\n"
    "spark.range(8, numPartitions=4).select(udf(lambda v: time.sleep(1000))('id')).collect()"
)


class Kills(unittest.TestCase):
    def running(self, **config):
        host = Host(warm_up=False, **config).start()
        self.addCleanup(host.close)
        kernel = Kernel(host)
        self.addCleanup(kernel.close)
        kernel.attach("c")
        return host, kernel

    def job_runs(self, host):
        wait_until(lambda: host.ask(op="stats")["active_tasks"] > 0, "a Spark task runs")

    def test_kernel_then_host(self):
        host, kernel = self.running()
        kernel.submit("import subprocess\nsubprocess.Popen(['sleep', '1000'])\n" + ENDLESS)
        self.job_runs(host)
        children = descendants(kernel.process.pid)
        self.assertEqual(len(children), 1)
        kernel.process.kill()
        wait_gone(children)
        wait_until(lambda: host.ask(op="stats")["active_jobs"] == 0, "the dead kernel's jobs ended")
        self.assertEqual(host.ask(op="stats")["kernels"], 0)

        other = Kernel(host)
        self.addCleanup(other.close)
        other.attach("d")
        other.submit(ENDLESS)
        self.job_runs(host)
        everything = descendants(host.process.pid)
        self.assertIn(host.ready["java_pid"], everything)
        host.process.kill()
        host.process.wait()
        wait_gone(everything)
        other.process.wait()

    def test_jvm(self):
        host, kernel = self.running()
        kernel.submit(ENDLESS)
        self.job_runs(host)
        everything = descendants(host.process.pid)
        self.assertEqual(host.ask(op="alive")["event"], "alive")
        self.assertEqual(host.ask(op="alive", within_ms=10)["event"], "alive")
        self.assertEqual(host.ask(op="alive", within_ms="x")["event"], "refused")
        os.kill(host.ready["java_pid"], signal.SIGKILL)
        lost = host.expect("lost")
        self.assertEqual((lost["code"], lost["exit_status"]), ("KILLED", -9))
        self.assertEqual(host.process.wait(), 3)
        wait_gone(everything)
        kernel.process.wait()

    def test_driver_dies_while_an_executor_was_lost(self):
        host, kernel = self.running(master="local-cluster[2,1,512]")

        def executors():
            found = []
            for pid in descendants(host.process.pid):
                with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                    if "CoarseGrainedExecutorBackend" in file.read():
                        found.append(pid)
            return found

        wait_until(lambda: len(executors()) == 2, "both executors run")
        code = (
            "import time\nfrom pyspark.sql.functions import udf\n"
            "late = udf(lambda v: time.sleep(0.3) or v, 'long')\n"
            "frame = spark.range(8, numPartitions=8).select(late('id').alias('v'))\n"
            "frame.groupBy().sum('v').collect()[0][0]"
        )
        message = kernel.submit(code)
        self.job_runs(host)
        lost = executors()[0]
        os.kill(lost, signal.SIGKILL)
        self.assertEqual(kernel.collect(message).data("text/plain"), ["28"])
        wait_until(lambda: len([pid for pid in executors() if pid != lost and alive(pid)]) == 2, "it was replaced")
        wait_until(lambda: host.executors[-1] == {"event": "executors", "running": 2, "leaving": 0, "lost": []}, "told")
        told = [each for event in host.executors for each in event["lost"]]
        self.assertEqual([(each["status"], each["out_of_memory"]) for each in told], [(137, False)])
        everything = descendants(host.process.pid)
        host.process.stdin.close()
        self.assertEqual(host.process.wait(), 0)
        wait_gone(everything)
        kernel.process.wait()


    def test_executors_come_and_go_while_work_runs(self):
        host, kernel = self.running(master="local-cluster[2,1,512]")

        def count():
            last = host.executors[-1] if host.executors else {}
            return last.get("running"), last.get("leaving")

        wait_until(lambda: count() == (2, 0), "both executors run")
        self.assertEqual(host.ask(op="resize", executors=3)["event"], "resized")
        wait_until(lambda: count() == (3, 0), "there are three")
        barrier = "sc.parallelize(range(3), 3).barrier().mapPartitions(lambda rows: [len(list(rows))]).collect()"
        self.assertEqual(kernel.run(barrier).data("text/plain"), ["[1, 1, 1]"])
        code = (
            "import time\nfrom pyspark import TaskContext\n"
            "def work(number):\n    time.sleep(2)\n    return (number, TaskContext.get().attemptNumber())\n"
            "found = sc.parallelize(range(9), 9).map(work).collect()\n"
            "sorted(found) == [(number, 0) for number in range(9)]"
        )
        message = kernel.submit(code)
        self.job_runs(host)
        self.assertEqual(host.ask(op="resize", executors=1)["event"], "resized")
        wait_until(lambda: count() == (1, 0), "two have left")
        # No task was run twice: those that had begun ended where they were.
        self.assertEqual(kernel.collect(message).data("text/plain"), ["True"])
        self.assertEqual([each for event in host.executors for each in event["lost"]], [])
        self.assertEqual(host.ask(op="resize", executors=2)["event"], "resized")
        wait_until(lambda: count() == (2, 0), "there are two again")


    def test_an_executor_without_memory_is_said_as_such(self):
        host, kernel = self.running(master="local-cluster[1,1,512]", spark_conf={"spark.task.maxFailures": "1"})
        wait_until(lambda: host.executors and host.executors[-1]["running"] == 1, "the executor runs")
        kernel.run("spark.range(1).selectExpr(\"length(repeat(repeat('x', 1000), 1000000 + int(id)))\").collect()")
        wait_until(lambda: any(event["lost"] for event in host.executors), "the loss is told")
        lost = [each for event in host.executors for each in event["lost"]][0]
        self.assertTrue(lost["out_of_memory"], lost)


class Starts(unittest.TestCase):
    def failure(self, **config):
        host = Host(**config)
        self.addCleanup(host.close)
        event = host.expect("failed", "listening")
        event = event if event["event"] == "failed" else host.expect("failed")
        self.assertEqual(host.process.wait(), 1)
        return event

    def test_failures_have_codes(self):
        self.assertEqual(self.failure(master="yarn")["code"], "CONFIG_INVALID")
        self.assertEqual(self.failure(master="spark://127.0.0.1:9")["code"], "MASTER_UNREACHABLE")
        self.assertEqual(self.failure(java_home="/nowhere")["code"], "JAVA_MISSING")
        self.assertEqual(self.failure(scratch_dir="/proc/nowhere")["code"], "SCRATCH_UNUSABLE")
        self.assertEqual(self.failure(driver_memory_mb=100_000_000)["code"], "OUT_OF_MEMORY")

    def test_a_waiting_kernel_ends_with_a_host_that_failed(self):
        host = Host(spark_conf={"spark.ui.port": "many"})
        self.addCleanup(host.close)
        host.kernel_env = host.expect("listening")["kernel_env"]
        kernel = Kernel(host)
        self.addCleanup(kernel.close)
        self.assertEqual(host.expect("failed")["code"], "SPARK_START_FAILED")
        kernel.process.wait()

    def test_a_kernel_without_a_cluster_is_plain_python(self):
        kernel = Kernel()
        self.addCleanup(kernel.close)
        self.assertEqual(kernel.run("1 + 1").data("text/plain"), ["2"])
        self.assertEqual(kernel.attach("c").reply["ename"], "SparkUnavailable")


if __name__ == "__main__":
    unittest.main()
