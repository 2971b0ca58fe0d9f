"""The architectures that a bundle is made for, under Debian's names."""

import platform
from dataclasses import dataclass

from builder.problem import Problem


@dataclass(frozen=True)
class Architecture:
    """One architecture.

    Attributes:
        name: Debian's name.
        machine: what the kernel calls it.
        qemu: the interpreter's name; `qemu-NAME-static` is its program.
        bits: of its addresses.
        elf: its number in ELF files (`e_machine`).
        compiled: distributions without a wheel for it, which are compiled.
        tools: Debian's packages that compile them.
        absent: distributions that are left out, as they have no wheel and compiling them takes more than `tools`. The program
            does without them, or says what it cannot do.
    """

    name: str
    machine: str
    qemu: str
    bits: int
    elf: int
    compiled: frozenset[str] = frozenset()
    tools: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()

    @property
    def magic(self) -> tuple[str, str]:
        """The first 20 bytes of its ELF files, and which of their bits count, as binfmt_misc wants them."""
        size = {32: 1, 64: 2}[self.bits]
        return rf"\x7fELF\x0{size}\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x{self.elf:02x}\x00", _MASK


_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


ARCHITECTURES = {
    one.name: one
    for one in (
        Architecture("amd64", "x86_64", "x86_64", 64, 0x3E),
        Architecture("arm64", "aarch64", "aarch64", 64, 0xB7),
        Architecture(
            "armhf",
            "armv7l",
            "arm",
            32,
            0x28,
            frozenset({"argon2-cffi-bindings", "pyinstaller", "asyncpg", "cffi", "httptools", "msgspec", "pyyaml", "uvloop"}),
            ("gcc", "libc6-dev", "libffi-dev", "make", "python3-dev", "zlib1g-dev"),
            frozenset({"pillow", "pyrage"}),
        ),
    )
}


def native() -> Architecture:
    """This machine's architecture.

    Raises:
        Problem: no bundle is made for it.
    """
    for one in ARCHITECTURES.values():
        if one.machine == platform.machine():
            return one
    raise Problem(f"this machine is {platform.machine()}: use --arch with one of {', '.join(ARCHITECTURES)}")
