"""Run as a script: forks one process for each command that it is told, with everything imported already.

A child is a process of its own, with fresh state: it may be killed or stopped, and its lock dies with it. Only the half
second that Python and DuckDB need to start is saved. Requests and answers are one JSON object a line.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import json
import os
import pkgutil
import runpy
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import bedrot
import bedrot.cli

UNPLANTED = 99


def warm() -> None:
    """Import what any command imports later."""
    for module in pkgutil.walk_packages(bedrot.__path__, "bedrot."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def child(told: dict[str, Any]) -> None:
    """Be the command: its output to files, its fault armed, its planted variant in place."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream, path in ((1, told["out"]), (2, told["err"])):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(fd, stream)
        os.close(fd)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(told["env"])
    if told["variant"]:
        plant(Path(told["variant"]))
    sys.argv = ["bedrot", *told["argv"]]
    arm(told["fault"])
    code = 0
    try:
        if told["script"]:
            sys.argv[0] = told["script"]
            runpy.run_path(told["script"], run_name="__main__")
        else:
            bedrot.cli.main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def plant(path: Path) -> None:
    """Run a module of wrong variants: it replaces functions of the program in this process.

    A variant that names what the program does not have any more is planted nowhere: the process says so and ends with
    a code that the harness takes for no answer, so that nobody mistakes it for a variant that was seen.
    """
    spec = importlib.util.spec_from_file_location("planted", path)
    assert spec is not None
    assert spec.loader is not None
    planted = False
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        planted = True
    finally:
        if not planted:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(UNPLANTED)


def arm(fault: dict[str, Any]) -> None:
    """Tell the preloaded shim what to do in this process."""
    root, mode, log = (fault[name].encode() for name in ("root", "mode", "log"))
    ctypes.CDLL(None).faultat_arm(root, ctypes.c_long(fault["at"]), mode, fault["code"], int(fault["sticky"]), log)


def serve() -> None:
    """Answer requests until the input ends: start (gives the pid), wait (gives how it ended or stopped)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        told = json.loads(line)
        if told["op"] == "start":
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                child(told)
            answer = {"pid": pid}
        else:
            flags = os.WUNTRACED | (os.WNOHANG if told["poll"] else 0)
            pid, status = os.waitpid(told["pid"], flags)
            stopped = pid != 0 and os.WIFSTOPPED(status)
            ended = pid != 0 and not stopped
            answer = {"stopped": stopped, "code": os.waitstatus_to_exitcode(status) if ended else None}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    warm()
    serve()
    os._exit(0)
