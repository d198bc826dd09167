"""How a cluster's Spark says that it could not be started."""


class StartFailure(Exception):
    """Why a cluster's Spark could not be started: a stable code, a sentence for the user, detail for the log."""

    def __init__(self, code, message, detail=""):
        super().__init__(message)
        self.code, self.message, self.detail = code, message, detail
