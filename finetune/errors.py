"""The ways in which this toolkit says no. Everything else that is raised is a fault of ours."""


class UserError(ValueError):
    """Something the user can mend. The message says where, what, and how; exit code 2."""


class Failed(RuntimeError):
    """The run came to a bad end that no traceback explains better than the message; exit code 1."""


class Refused(RuntimeError):
    """A gate or a proof said no to a run that is otherwise well formed; exit code 3."""
