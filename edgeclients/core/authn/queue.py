"""Which presented secret has its argon2 next: few at a time, fair between clients, and slow for whoever guesses.

A *subject* is whom a token names: a client (`Basic`) or a domain (`Domain`). Subjects take turns. Of one subject's waiting
tokens any may be next, drawn at random, so that whoever asks most often is not served alone. A run that proves nothing
counts against its subject: past a few of them the subject's runs are spaced out, and few of its tokens may wait. So guessing
is slow, while a site whose secrets are right is checked as fast as the machine can. Likewise for all subjects together.
"""

import asyncio
import secrets
from collections import OrderedDict, deque

from edgeclients.core.secrets.keyring import Argon2
from edgeclients.core.secrets.pool import Argon2Threads
from edgeclients.core.token_bucket import TokenBuckets, whole_seconds
from edgeclients.errors import CheckRationed, Unavailable

FAILURES = 16  # of one subject, before its runs are spaced out
FAILURES_A_SECOND = 4.0  # of one subject, after that
ALL_FAILURES = 64  # of all subjects together, likewise
ALL_FAILURES_A_SECOND = 10.0  # so that guesses at many leave hits most of a small machine
WAITING_WHILE_RATIONED = 8  # tokens of one subject: about what is drawn within a caller's deadline
_SUBJECTS = 10_000
_ALL = ""


class Check:
    """One digest that is wanted. `future` ends with it; cancelled while it waits it never runs."""

    __slots__ = ("domain_id", "future", "scheme", "secret", "subject")

    def __init__(self, subject: str, scheme: Argon2, domain_id: str, secret: str) -> None:
        self.subject = subject
        self.scheme = scheme
        self.domain_id = domain_id
        self.secret = secret
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()


class CheckQueue:
    """Computes digests of presented secrets. To be used in one event loop.

    Args:
        threads: where argon2 runs.
        waiting: tokens that may wait.
        ration: failures by subject.
    """

    def __init__(self, threads: Argon2Threads, waiting: int, ration: TokenBuckets[str] | None = None) -> None:
        self._threads = threads
        self._most_waiting = waiting
        # A run counts until it is known how it ended, so those under way must fit in beside the failures.
        self._ration = ration or TokenBuckets(FAILURES - 1 + threads.workers, FAILURES_A_SECOND, _SUBJECTS)
        self._all: TokenBuckets[str] = TokenBuckets(ALL_FAILURES - 1 + threads.workers, ALL_FAILURES_A_SECOND, 1)
        self._subjects: OrderedDict[str, list[Check]] = OrderedDict()  # whose turn it is first
        self._again: deque[Check] = deque()
        self._running = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.waiting = 0
        self.runs = 0

    def ask(self, check: Check) -> None:
        """Have `check` computed when its turn comes.

        Raises:
            CheckRationed: too many wait already, of all subjects or of this one.
            Unavailable: the lane is closed.
        """
        if self._closed:
            raise Unavailable("closing")
        wait = self._wait(check.subject)
        ahead = len(self._subjects.get(check.subject, ()))
        if (wait and ahead >= WAITING_WHILE_RATIONED) or (self.waiting >= self._most_waiting and not self._make_room(ahead)):
            raise _rationed(wait)
        self._subjects.setdefault(check.subject, []).append(check)
        self.waiting += 1
        self._start()

    def ask_again(self, check: Check) -> None:
        """Have `check` computed next: the digest that was just computed for its token was not the only one to try.

        A token counts once, however many schemes are in use.

        Raises:
            Unavailable: the lane is closed.
        """
        if self._closed:
            raise Unavailable("closing")
        self._again.append(check)
        self.waiting += 1
        self._start()

    def drop(self, check: Check) -> bool:
        """Nobody wants `check` any more: it leaves the queue, or if it runs already, runs on.

        Returns:
            Whether it was still waiting.
        """
        queue = self._subjects.get(check.subject, [])
        if check in queue:
            self._leave(queue, queue.index(check))
        elif check in self._again:
            self._again.remove(check)
            self.waiting -= 1
        else:
            return False
        check.future.cancel()
        return True

    def succeeded(self, subject: str) -> None:
        """The last run proved who it was: it does not count."""
        self._ration.give_back(subject)
        self._all.give_back(_ALL)

    def close(self) -> None:
        """Compute nothing more."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        for queue in (*self._subjects.values(), self._again):
            for check in queue:
                check.future.cancel()
        self._subjects.clear()
        self._again.clear()

    def _wait(self, subject: str) -> float:
        """Seconds until `subject` may have another run."""
        return max(self._ration.wait(subject), self._all.wait(_ALL))

    def _make_room(self, ahead: int) -> bool:
        """Turn away a token of the subject with the most of them, for one of a subject with `ahead`; if that is fair."""
        crowded = max(self._subjects, key=lambda subject: len(self._subjects[subject]))
        if len(self._subjects[crowded]) <= ahead + 1:
            return False
        self._turn_away(crowded, 1)
        return True

    def _turn_away(self, subject: str, count: int) -> None:
        for _ in range(count):
            queue = self._subjects[subject]
            check = self._leave(queue, secrets.randbelow(len(queue)))
            check.future.set_exception(_rationed(self._wait(subject)))

    def _start(self) -> None:
        """Run what may run now; if something may only later, look again then."""
        while self._again and self._running < self._threads.workers:
            self.waiting -= 1
            self._run(self._again.popleft())
        soonest = None
        for subject in list(self._subjects):
            if self._running >= self._threads.workers:
                return
            wait = self._wait(subject)
            if wait:
                self._turn_away(subject, len(self._subjects[subject]) - WAITING_WHILE_RATIONED)
                soonest = wait if soonest is None else min(soonest, wait)
                continue
            queue = self._subjects[subject]
            self._ration.take(subject)
            self._all.take(_ALL)
            self._run(self._leave(queue, secrets.randbelow(len(queue))))
        if soonest is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(soonest, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._start()

    def _leave(self, queue: list[Check], place: int) -> Check:
        """Take a check out of its subject's queue; whose queue was moved on stands behind the others now."""
        check = queue[place]
        queue[place] = queue[-1]
        queue.pop()
        self.waiting -= 1
        self._subjects.move_to_end(check.subject)
        if not queue:
            del self._subjects[check.subject]
        return check

    def _run(self, check: Check) -> None:
        self._running += 1
        self.runs += 1
        try:
            running = self._threads.digest(check.scheme, check.domain_id, check.secret)
        except Exception as error:  # noqa: BLE001 - no thread could be started: told to whoever waits, and the lane goes on
            running = asyncio.get_running_loop().create_future()
            running.set_exception(error)
        running.add_done_callback(lambda done: self._done(check, done))

    def _done(self, check: Check, done: "asyncio.Future[bytes]") -> None:
        self._running -= 1
        if not check.future.done():
            if done.cancelled():
                check.future.cancel()
            elif error := done.exception():
                check.future.set_exception(error)
            else:
                check.future.set_result(done.result())
        # Behind whoever waits for this digest: a success is taken back before the next one is drawn.
        asyncio.get_running_loop().call_soon(self._start)


def _rationed(wait: float) -> CheckRationed:
    return CheckRationed("too many secrets to check", retry_after=whole_seconds(wait))
