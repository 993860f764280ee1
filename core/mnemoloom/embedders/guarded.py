"""An encoder that is asked with a deadline, and left alone for a while when it keeps failing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import BoundedSemaphore
from typing import TypeVar

from mnemoloom.clock import Clock, MonotonicClock
from mnemoloom.config import Guard
from mnemoloom.embedders.breaker import Breaker
from mnemoloom.embedders.workers import Overdue, bounded
from mnemoloom.errors import (
    CircuitOpenError,
    EmbedderError,
    EmbedderTimeoutError,
    EmbedderUnavailableError,
    LoomError,
    ValidationError,
)
from mnemoloom.ports import Embedder, Rows, TokenEmbedder, TokenVectors

__all__ = ["Guarded", "behind", "guarded"]

T = TypeVar("T")
_AT_ONCE = 64  # calls that are under way or hang


class Guarded:
    """The same encoder behind a deadline and a circuit breaker; safe to share between threads. Made by `guarded`.

    Whatever the encoder raises comes as an EmbedderError, with what it was as the `__cause__`. Without a guard it is
    asked as it is otherwise.
    """

    def __init__(self, embedder: Embedder, guard: Guard | None, *, clock: Clock) -> None:
        self.embedder, self._guard = embedder, guard
        settings = guard or Guard()
        self._breaker = Breaker(failures=settings.failures, cool_down=settings.cool_down, clock=clock)
        self._places = BoundedSemaphore(_AT_ONCE)
        self._last = "it did not answer"

    @property
    def identity(self) -> str:
        return self.embedder.identity

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        """As the encoder's own, or CircuitOpenError at once, EmbedderTimeoutError after the deadline, EmbedderError."""
        return self._asked(lambda: self._call(lambda: self.embedder.embed(texts, query=query)), len(texts))

    def _call(self, call: Callable[[], T]) -> T:
        """The encoder's own answer, or its failure as an EmbedderError that names the kind alone."""
        try:
            return call()
        except LoomError:
            raise
        except TimeoutError as error:
            raise EmbedderTimeoutError(f"{self.identity} gave no answer in time: {type(error).__name__}") from error
        except ConnectionError as error:
            raise EmbedderUnavailableError(f"{self.identity} cannot be reached: {type(error).__name__}") from error
        except Exception as error:  # an encoder of anybody's, with errors of its own
            raise EmbedderError(f"{self.identity} failed with {type(error).__name__}") from error

    def _asked(self, call: Callable[[], T], texts: int) -> T:
        if self._guard is None:
            return call()
        pause = self._breaker.pause()
        if pause is not None:
            raise CircuitOpenError(
                f"{self.identity} is not asked for {pause:.1f} s more, because {self._last}", seconds=pause
            )
        told = self._breaker.undecided  # an interrupt says nothing of the encoder, and neither does a bad text
        try:
            answer = self._bounded(call, texts, self._guard.deadline)
            told = self._breaker.succeeded
        except EmbedderTimeoutError:
            self._last, told = "it did not answer in time", lambda: self._breaker.failed(hung=True)
            raise
        except ValidationError:
            raise
        except Exception as error:
            failure = error.__cause__ if type(error) is EmbedderError and error.__cause__ else error
            self._last, told = f"it failed with {type(failure).__name__}", self._breaker.failed
            raise
        finally:
            told()
        return answer

    def _bounded(self, call: Callable[[], T], texts: int, deadline: float | None) -> T:
        if deadline is None:
            return call()
        if not self._places.acquire(blocking=False):
            raise CircuitOpenError(f"{self.identity} is not asked: {_AT_ONCE} calls have not ended", seconds=0.0)
        seconds = deadline * max(texts, 1)
        try:
            return bounded(call, seconds=seconds, after=self._places.release)
        except Overdue:
            raise EmbedderTimeoutError(f"{self.identity} gave no answer within {seconds:g} s") from None


class _GuardedTokens(Guarded):
    """One that also shows token vectors."""

    embedder: TokenEmbedder

    def embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> tuple[Rows, list[TokenVectors]]:
        return self._asked(lambda: self._call(lambda: self.embedder.embed_tokens(texts, query=query)), len(texts))


def guarded(
    embedder: Embedder,
    *,
    deadline: float | None = 120.0,
    failures: int = 5,
    cool_down: float = 10.0,
    clock: Clock | None = None,
) -> Guarded:
    """The encoder behind a deadline and a circuit breaker. `Memory` does so itself with `Config.guard`.

    The deadline bounds how long a caller waits, whatever the encoder does. A call that hangs keeps its thread, as
    Python cannot end one; with 64 of them nothing is asked any more until one ends.

    Parameters
    ----------
    deadline: seconds that a call may take for each of its texts; None waits for ever.
    failures, cool_down: errors in a row that open the breaker (a missed deadline does so at once), and seconds until
        one call is let through again to see whether the encoder is back.
    clock: for the cool-down; by default one that nobody can set.

    Raises ConfigError.
    """
    return behind(embedder, Guard(deadline=deadline, failures=failures, cool_down=cool_down), clock=clock)


def behind(embedder: Embedder, guard: Guard | None, *, clock: Clock | None = None) -> Guarded:
    """The same for settings; without any, it is waited for and asked for ever, and only its errors become ours."""
    if isinstance(embedder, Guarded):
        return embedder
    kind = _GuardedTokens if isinstance(embedder, TokenEmbedder) else Guarded
    return kind(embedder, guard, clock=clock or MonotonicClock())
