"""A process that has LangGraph loaded and forks for every step: each version runs in a process of its own, quickly.

Reads jobs as lines of JSON: {"dir", "store", "steps"}; answers each with a line of results.
"""

import json
import os
import sys
import warnings
from importlib.util import find_spec

import langchain_core.messages  # noqa: F401
import langgraph.graph  # noqa: F401

if find_spec("langchain"):
    import langchain.agents.middleware  # noqa: F401
import pydantic  # noqa: F401
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.func import entrypoint, task  # noqa: F401
from langgraph.types import Command

from rollout.contracts.export import export


def outcome(graph, config, run):
    """What came of a turn: an error, a wait, a silent end, or `done` and what was done."""
    try:
        run()
        state = graph.get_state(config)
    except Exception as error:
        return {"came": type(error).__name__, "values": {}}
    values = state.values if isinstance(state.values, dict) else {"value": state.values}
    if "messages" in values:  # their ids are of one run
        values = {**values, "messages": [[m.type, m.text, getattr(m, "status", "")] for m in values["messages"]]}
    came = "waits" if state.next else "done" if values.get("done") is not None else "silent"
    return {"came": came, "next": list(state.next), "values": values}


def contracts(places):
    """Export the agent of each folder, one after the other, none with modules of another's."""
    exported, before = [], set(sys.modules)
    for place in places:
        sys.path.insert(0, place)
        import agent

        exported.append(json.loads(export(agent.graph).canonical()))
        sys.path.remove(place)
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(place):
                del sys.modules[name]
    return exported


def perform(job):
    if "contracts" in job:
        return contracts(job["contracts"])
    sys.path.insert(0, job["dir"])
    import agent

    graph = agent.graph
    config = {"configurable": {"thread_id": job.get("thread", "t1")}, "metadata": {"agent_version": job["dir"][-3:]}}
    answers = []
    with saver(job["store"]) as checkpointer:
        graph.checkpointer = checkpointer
        for verb, *given in job["steps"]:
            if verb == "contract":
                graph.checkpointer = None
                answers.append(json.loads(export(graph).canonical()))
                graph.checkpointer = checkpointer
            elif verb == "invoke":
                answers.append(outcome(graph, config, lambda: graph.invoke(given[0], config)))
            elif verb == "resume":
                answers.append(outcome(graph, config, lambda: graph.invoke(Command(resume=given[0]), config)))
            elif verb == "state":
                answers.append(outcome(graph, config, lambda: None))
    return answers


def saver(store):
    if store.startswith("postgres"):
        from langgraph.checkpoint.postgres import PostgresSaver

        return PostgresSaver.from_conn_string(store)
    return SqliteSaver.from_conn_string(store)


def main():
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            os.dup2(2, 1)
            try:
                told = perform(json.loads(line))
            except BaseException as error:
                told = {"failed": repr(error)}
            with os.fdopen(write, "w") as pipe:
                json.dump(told, pipe, default=repr)
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        print(told or json.dumps({"failed": "the child left nothing"}), flush=True)


if __name__ == "__main__":
    main()
