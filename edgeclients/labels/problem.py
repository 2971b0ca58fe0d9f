"""Why labels cannot be made."""


class LabelProblem(Exception):  # noqa: N818 - a name for people, not for the interpreter
    """No labels are made; the text is one line with the reason and the remedy."""
