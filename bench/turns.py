"""Generators that take turns on one core, so that a slow moment of the machine hits all alike.

On a shared machine the same code takes a third more time from one second to the next. Runs of some
seconds, one after the other, tell little of their ratio then; here each has half a second, then the
next one, until all have had theirs. A generator stops itself when it is warm, is continued and
stopped with SIGCONT and SIGSTOP, and told by SIGUSR1 that its last turn is over.
"""

import contextlib
import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TURN_S = 0.5
_PATIENCE_S = 120.0


def take_turns(commands: Mapping[str, Sequence[str]], seconds: float) -> dict[str, dict[str, Any]]:
    """Give each command so many seconds, in turns; answers with what each printed as JSON.

    `wall_s` in it is the time that it had. Raises RuntimeError where one fails.
    """
    turns = math.ceil(seconds / TURN_S)
    with _started(commands) as processes:
        order = list(processes.values())
        for _ in range(turns):
            for process in order:
                process.send_signal(signal.SIGCONT)
                time.sleep(TURN_S)
                process.send_signal(signal.SIGSTOP)
            order.reverse()  # nobody always follows the same one
        return {
            name: {**_result(name, process), "wall_s": turns * TURN_S}
            for name, process in processes.items()
        }


@contextlib.contextmanager
def _started(
    commands: Mapping[str, Sequence[str]],
) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """The processes, each warm and stopped; they end with the block."""
    processes: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, command in commands.items():
            process = processes[name] = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            # Not reaped here, if it failed: that is for Popen to do.
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if process.poll() is not None:
                raise _failed(name, process)
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()


def _result(name: str, process: subprocess.Popen[str]) -> dict[str, Any]:
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGCONT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_S)
    if process.returncode != 0 or process.stdout is None:
        raise _failed(name, process)
    result: dict[str, Any] = json.loads(process.stdout.read().splitlines()[-1])
    return result


def _failed(name: str, process: subprocess.Popen[str]) -> RuntimeError:
    process.kill()
    _, errors = process.communicate()
    return RuntimeError(f"{name} failed: {errors[-2000:]}")
