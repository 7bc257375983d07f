"""The task loop of a lean user: Locust's own, less what it does not need.

Locust draws a task even where there is only one, and its `gevent.sleep(0)` between two tasks costs
as much as the parsing of a small response.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import gevent
from locust import User
from locust.exception import StopUser
from locust.user.task import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
    DefaultTaskSet,
)

from otaload.http.reactor import current_reactor


class LeanTaskSet(DefaultTaskSet):
    """Plays the tasks of a user; what it does and in which order is Locust's."""

    def __init__(self, parent: User) -> None:
        super().__init__(parent)
        self._reactor = current_reactor()

    def get_next_task(self) -> Any:
        """One of the user's tasks, by their weights."""
        tasks = self._user.tasks
        if len(tasks) == 1:
            return tasks[0]
        return super().get_next_task()  # type: ignore[no-untyped-call]

    def execute_next_task(self) -> None:
        """Do what is next; a plain function has no `tasks`, and need not be asked for them."""
        following = self._task_queue.popleft()
        if type(following) is FunctionType and not following.__dict__.get("tasks"):
            following(self._user)
        else:
            self.execute_task(following)  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Wait as the user's `wait_time` says; 0 s still lets the others run."""
        user = self._user
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_WAITING
        wait_time: Callable[[], float] | None = user.wait_time
        if wait_time is None:
            wait_time = self.wait_time  # which tells what is missing
        seconds = wait_time()
        if seconds > 0:
            gevent.sleep(seconds)
        else:
            self._reactor.give_way()
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_RUNNING
