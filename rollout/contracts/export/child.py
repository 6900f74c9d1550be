"""What runs in a process of its own: import the agent, export its contract, write both down for whoever has asked.

Whatever the agent's code does then (exits, forks, prints, never ends) it does to this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

from rollout.contracts.export.apart import imported_mark
from rollout.contracts.export.code_source import code_source, strayed
from rollout.contracts.export.import_faults import summary_of
from rollout.contracts.export.locate import located
from rollout.contracts.export.target import export, read_json
from rollout.errors import InvalidInput


def main() -> None:
    """Read a job from the first argument, and write its result into the file that it names."""
    job, own = json.loads(sys.argv[1]), os.getpid()
    threading.Thread(target=_end_with, args=(job["lifeline"],), daemon=True).start()
    sys.argv = ["rollout"]  # an agent that reads arguments when it is imported has none
    warnings.simplefilter("ignore")
    try:
        result = _exported(job)
    except InvalidInput as error:
        result = {"faults": [[fault.path, fault.message, fault.remedy] for fault in error.faults]}
    except BaseException as error:  # noqa: BLE001  whatever the agent's code does when it is looked at
        problem, remedy = f"cannot be exported: {summary_of(error)}", "if it runs, please report it"
        result = {"faults": [[job["target"], problem, remedy]]}
    if os.getpid() != own:
        os._exit(0)  # the agent forked, and this is the other one
    part = Path(f"{job['result']}.part")
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(job["result"])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the agent may have closed it
            stream.flush()
    os._exit(0)  # threads of the agent's may be running


def _end_with(lifeline: int) -> None:
    """End this process, and whatever the agent has started, once whoever asked for the export is gone."""
    os.set_inheritable(lifeline, False)
    os.read(lifeline, 1)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _exported(job: dict[str, Any]) -> dict[str, Any]:
    target = job["target"]
    if target.endswith(".json") and Path(target).name != "langgraph.json":
        value, file = read_json(target), None
    else:
        module = located(target)
        value, file = module.value, module.file
        imported_mark(Path(job["result"])).touch()
    options = {key: job[key] for key in ("agent", "version", "store")}
    contract = export(value, name=target, source=code_source(file), **options)
    notes = [strayed(target, file)] if file is not None and strayed(target, file) else []
    return {"contract": contract.canonical(), "notes": notes}


if __name__ == "__main__":
    main()
