"""What this process has written to disk: SD cards wear."""

from pathlib import Path

_IO = Path("/proc/self/io")
_WRITTEN = "write_bytes:"


def written_bytes() -> int:
    """Bytes this process has caused to be written to storage so far, as the kernel counts them; 0 where it does not tell."""
    try:
        lines = _IO.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.removeprefix(_WRITTEN)) for line in lines if line.startswith(_WRITTEN)), 0)
