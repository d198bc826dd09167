"""Masters and workers that are started beside a driver: their commands, and waiting for one another."""

import socket
import threading
import time
import unittest

from support import RUNTIME  # noqa: F401, sets the path

from harbour_runtime import application, config, failure, node, processes


class Node(unittest.TestCase):
    def command(self, *words):
        return node.command(node._arguments([*words, "--properties", "/p"]), "/java", None)

    def test_a_master_listens_where_it_is_told(self):
        words = self.command("master", "--url", "spark://driver:7077")
        place = words.index("org.apache.spark.deploy.master.Master")
        self.assertEqual(
            words[place + 1 :],
            ["--host", "driver", "--port", "7077", "--properties-file", "/p", "--webui-port", "0"],
        )

    def test_a_worker_has_its_size(self):
        words = self.command("worker", "--host", "w", "--cores", "2", "--memory-mb", "512", "--work-dir", "/d")
        place = words.index("org.apache.spark.deploy.worker.Worker")
        self.assertEqual(words[-1], "spark://driver:7077")
        self.assertIn("512M", words[place:])
        self.assertIn("2", words[place:])


class Waiting(unittest.TestCase):
    def late_listener(self):
        """The URL of a port that somebody listens at a moment later."""
        server = socket.socket()
        self.addCleanup(server.close)
        server.bind(("127.0.0.1", 0))
        timer = threading.Timer(0.3, server.listen)
        timer.start()
        self.addCleanup(timer.join)
        return f"spark://127.0.0.1:{server.getsockname()[1]}"

    def test_a_worker_waits_for_its_master(self):
        self.assertTrue(node.wait_for(self.late_listener(), 30))

    def test_a_worker_gives_up(self):
        self.assertFalse(node.wait_for("spark://127.0.0.1:9", 0.1))

    def test_a_driver_waits_for_a_master_that_is_started_with_it(self):
        application.expect_master(self.late_listener(), 30)

    def test_a_driver_does_not_wait_for_others(self):
        began = time.monotonic()
        with self.assertRaises(failure.StartFailure) as caught:
            application.expect_master("spark://127.0.0.1:9")
        self.assertEqual(caught.exception.code, "MASTER_UNREACHABLE")
        self.assertLess(time.monotonic() - began, 10)

    def test_patience_is_a_setting_with_a_limit(self):
        def patience(value):
            settings = {"spark.dataharbour.master.patience": value}
            return config.parse({"scratch_dir": "/tmp/x", "spark_conf": settings}).master_patience()

        self.assertEqual(patience("60"), 60)
        self.assertEqual(patience("100000"), 120)
        self.assertEqual(patience("soon"), 0)


class Memory(unittest.TestCase):
    def test_kills_are_counted(self):
        self.assertGreaterEqual(processes.memory_kills(), 0)


if __name__ == "__main__":
    unittest.main()
