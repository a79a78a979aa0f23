"""The one exception that is meant for the user's eyes."""


class ClearfiltersError(Exception):
    """A mistake in the input that the user can mend.

    The message names the file or key, the value found, what was expected and what to do. The
    command line prints it without a traceback and exits with status 1.
    """
