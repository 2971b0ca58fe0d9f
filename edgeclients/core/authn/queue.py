"""Schedules argon2 for presented secrets: few runs at a time, fair between clients, and slow for guesses.

A *subject* is what a token names: a client (`Basic`) or a domain (`Domain`). Subjects take turns. The next of a
subject's waiting tokens is drawn at random, so that a frequent caller does not displace the others. A run without
success counts as a failure of its subject. After a few failures the subject's runs are spaced out, and few of its tokens
may wait. So guessing is slow, while correct secrets are checked as fast as the machine can. The same applies to all
subjects together.
"""

import asyncio
import secrets
from collections import OrderedDict, deque

from edgeclients.core.secrets.pool import Argon2Threads
from edgeclients.core.secrets.recipe import Recipe
from edgeclients.core.token_bucket import TokenBuckets, whole_seconds
from edgeclients.errors import CheckRationed, Unavailable

FAILURES = 16  # of one subject, before its runs are spaced out
FAILURES_A_SECOND = 4.0  # of one subject, after that
ALL_FAILURES = 64  # of all subjects together, likewise
ALL_FAILURES_A_SECOND = 10.0  # guesses at many subjects leave most of a small machine to cache hits
WAITING_WHILE_RATIONED = 8  # tokens of one subject: about as many as are drawn within a caller's deadline
_SUBJECTS = 10_000
_ALL = ""


class Check:
    """One requested digest. `future` receives it; if cancelled while it waits, it never runs."""

    __slots__ = ("future", "recipe", "secret", "subject")

    def __init__(self, subject: str, recipe: Recipe, secret: str) -> None:
        self.subject = subject
        self.recipe = recipe
        self.secret = secret
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()


class CheckQueue:
    """Computes digests of presented secrets. To be used in one event loop.

    Args:
        threads: where argon2 runs.
        waiting: how many tokens may wait.
        failures: the token buckets of failures, by subject.
    """

    def __init__(self, threads: Argon2Threads, waiting: int, failures: TokenBuckets[str] | None = None) -> None:
        self._threads = threads
        self._most_waiting = waiting
        # A run counts as a failure until its result is known, so there is room for the runs in progress.
        self._failures = failures or TokenBuckets(FAILURES - 1 + threads.workers, FAILURES_A_SECOND, _SUBJECTS)
        self._all_failures: TokenBuckets[str] = TokenBuckets(ALL_FAILURES - 1 + threads.workers, ALL_FAILURES_A_SECOND, 1)
        self._subjects: OrderedDict[str, list[Check]] = OrderedDict()  # the next subject first
        self._again: deque[Check] = deque()
        self._running = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.waiting = 0
        self.runs = 0

    def ask(self, check: Check) -> None:
        """Queue `check`.

        Raises:
            CheckRationed: too many tokens wait already, of all subjects or of this one.
            Unavailable: the queue is closed.
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
        """Run `check` next: the digest that was just computed for its token was not the only candidate.

        A token counts once, however many recipes there are.

        Raises:
            Unavailable: the queue is closed.
        """
        if self._closed:
            raise Unavailable("closing")
        self._again.append(check)
        self.waiting += 1
        self._start()

    def drop(self, check: Check) -> bool:
        """Withdraw `check`: it leaves the queue, or continues if it runs already.

        Returns:
            Whether it was still waiting.
        """
        queue = self._subjects.get(check.subject, [])
        if check in queue:
            self._remove(queue, queue.index(check))
        elif check in self._again:
            self._again.remove(check)
            self.waiting -= 1
        else:
            return False
        check.future.cancel()
        return True

    def succeeded(self, subject: str) -> None:
        """Take back the failure counted for the last run, which succeeded."""
        self._failures.give_back(subject)
        self._all_failures.give_back(_ALL)

    def close(self) -> None:
        """Run no more checks."""
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
        return max(self._failures.wait(subject), self._all_failures.wait(_ALL))

    def _make_room(self, ahead: int) -> bool:
        """Reject a token of the subject with the most tokens, for one of a subject with `ahead`, if that is fair."""
        crowded = max(self._subjects, key=lambda subject: len(self._subjects[subject]))
        if len(self._subjects[crowded]) <= ahead + 1:
            return False
        self._reject(crowded, 1)
        return True

    def _reject(self, subject: str, count: int) -> None:
        for _ in range(count):
            queue = self._subjects[subject]
            check = self._remove(queue, secrets.randbelow(len(queue)))
            check.future.set_exception(_rationed(self._wait(subject)))

    def _start(self) -> None:
        """Start the runs that are allowed now; set a timer for those that are allowed later."""
        while self._again and self._running < self._threads.workers:
            self.waiting -= 1
            self._run(self._again.popleft())
        soonest = None
        for subject in list(self._subjects):
            if self._running >= self._threads.workers:
                return
            wait = self._wait(subject)
            if wait:
                self._reject(subject, len(self._subjects[subject]) - WAITING_WHILE_RATIONED)
                soonest = wait if soonest is None else min(soonest, wait)
                continue
            queue = self._subjects[subject]
            self._failures.take(subject)
            self._all_failures.take(_ALL)
            self._run(self._remove(queue, secrets.randbelow(len(queue))))
        if soonest is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(soonest, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._start()

    def _remove(self, queue: list[Check], place: int) -> Check:
        """Remove a check from its subject's queue, and move the subject behind the others."""
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
            running = self._threads.digest(check.recipe, check.secret)
        except Exception as error:  # noqa: BLE001 - no thread could be started: the caller gets the error, the queue continues
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
        # After the callers that wait for this digest: a success is taken back before the next check is drawn.
        asyncio.get_running_loop().call_soon(self._start)


def _rationed(wait: float) -> CheckRationed:
    return CheckRationed("too many secrets to check", retry_after=whole_seconds(wait))
