"""What is shown of errors: the user's own frames, and Spark's sentence."""

import dataclasses
import traceback
import unittest

from support import RUNTIME  # noqa: F401, sets the path

from harbour_runtime import errors


class Errors(unittest.TestCase):
    def test_folding_keeps_the_users_frames(self):
        try:
            exec(compile("def f():\n    1/0\nf()", "/x/site-packages/pyspark/y.py", "exec"))
        except ZeroDivisionError as error:
            folded = errors.fold(error.__traceback__)
        self.assertIsNone(folded.tb_next)

    def chain(self, cause):
        """An error of the user's that another one has led to, which was raised in Spark's own code."""
        space = {"cause": cause}
        exec(compile("def f():\n    raise cause", "/x/site-packages/pyspark/y.py", "exec"), space)
        try:
            try:
                space["f"]()
            except Exception as error:
                raise ValueError("It did not load.") from error
        except ValueError as error:
            return error

    def test_what_led_to_an_error_is_folded(self):
        """While it is shown; and whole again for whoever asks for all of it."""
        for cause in (KeyError("x"), self.from_java("[A_B] Too long.\n\nJVM stacktrace:\n" + "\tat java\n" * 200)):
            error = self.chain(cause)
            with errors.folded(error):
                shown = error.__cause__
                self.assertEqual([one.filename for one in traceback.extract_tb(shown.__traceback__)], [__file__])
                self.assertEqual(type(shown).__name__, type(cause).__name__)
                self.assertNotIn("at java", str(shown))
            self.assertIs(error.__cause__, cause)
            self.assertEqual(len(traceback.extract_tb(cause.__traceback__)), 2)

    def test_an_error_that_refuses_to_be_changed_is_folded(self):
        @dataclasses.dataclass(frozen=True)
        class Fixed(Exception):
            number: int = 1

        error = self.chain(Fixed())
        trace = error.__cause__.__traceback__
        with errors.folded(error):
            self.assertEqual(len(traceback.extract_tb(error.__cause__.__traceback__)), 1)
        self.assertIs(error.__cause__.__traceback__, trace)

    def test_errors_that_led_to_each_other(self):
        one, other = ValueError("one"), ValueError("other")
        one.__context__, other.__context__ = other, one
        with errors.folded(one):
            pass
        self.assertIs(one.__context__, other)

    def from_java(self, text):
        class Py4JJavaError(Exception):
            pass

        Py4JJavaError.__module__ = "py4j.protocol"
        return Py4JJavaError(text)

    def test_spark_messages_are_cut(self):
        text = (
            "[A_B.C] It went wrong. SQLSTATE: 42P01; line 1 pos 14;\n'Project [*]\n+- x\n\nJVM stacktrace:\n"
            + "\tat java\n" * 200
        )
        description = errors.Description(self.from_java(text))
        self.assertEqual(description.message, "[A_B.C] It went wrong. SQLSTATE: 42P01; line 1 pos 14")
        self.assertEqual((description.error_class, description.sql_state), ("A_B.C", "42P01"))
        self.assertEqual((description.line, description.position), (1, 14))


if __name__ == "__main__":
    unittest.main()
