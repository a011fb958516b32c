"""The one error that is meant for a person."""


class UserError(ValueError):
    """Something the user can mend: the message says what is wrong, where, and what to do.

    Tools print the message without a traceback and exit with status 2; every other exception is
    a fault of ours and keeps its traceback.
    """
