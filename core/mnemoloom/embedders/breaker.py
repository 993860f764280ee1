"""When to stop asking somebody who does not answer: a circuit breaker.

It is closed at first. So many failures in a row, or a single call past its deadline, open it: nothing is asked any
more. After the cool-down one call is let through as a probe; its success closes the breaker, its failure opens it
again (M. Nygard, Release It!, 2007).
"""

from __future__ import annotations

from threading import Lock

from mnemoloom.clock import Clock

__all__ = ["Breaker"]


class Breaker:
    """Counts what came of calls; safe to share between threads.

    Parameters
    ----------
    failures: how many in a row open it. cool_down: seconds until a probe. clock: tells the seconds.
    """

    def __init__(self, *, failures: int, cool_down: float, clock: Clock) -> None:
        self._most, self._cool_down, self._clock = failures, cool_down, clock
        self._lock = Lock()
        self._failed = 0
        self._opened: float | None = None
        self._probing = False

    def __deepcopy__(self, _: object) -> Breaker:
        return self  # copies of a model share what is known of its server

    def pause(self) -> float | None:
        """None if a call may be made now, which then must be followed by one of the other three; else seconds to wait.

        While a probe is under way the others wait another cool-down.
        """
        with self._lock:
            if self._opened is None:
                return None
            left = self._opened + self._cool_down - self._clock.now()
            # a clock that was put back must not keep it open for longer
            if 0.0 < left <= self._cool_down or self._probing:
                return max(left, 0.0) or self._cool_down
            self._probing = True
            return None

    def succeeded(self) -> None:
        """Close it."""
        with self._lock:
            self._failed, self._opened, self._probing = 0, None, False

    def failed(self, *, hung: bool = False) -> None:
        """Count a failure; `hung` opens it at once."""
        with self._lock:
            self._failed += 1
            if hung or self._probing or self._failed >= self._most:
                self._opened = self._clock.now()
            self._probing = False

    def undecided(self) -> None:
        """Say that the call tells nothing of whom was asked; a probe may be made again."""
        with self._lock:
            self._probing = False
