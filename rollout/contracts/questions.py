"""Rules for questions: a human's answers are handed to them in order, and their code runs again from its start."""

from __future__ import annotations

import ast
import re

from rollout.contracts.comparison import Side
from rollout.contracts.contract import Approval, Graph, Node, State, Tool
from rollout.contracts.schema.document import SchemaDocument
from rollout.contracts.schema.relation import compare
from rollout.contracts.waiting import asks, asks_anywhere, listed, reached, stops, ways_out
from rollout.model.agent_state import Severity

_LISTS = (ast.List, ast.Tuple, ast.Set, ast.Dict)


def questions(side: Side) -> None:
    """Note where an answer would be taken for another one, or a call that waits would fail."""
    for name in sorted(side.writer.nodes.keys() & side.reader.nodes.keys()):
        one, two = side.writer.nodes[name], side.reader.nodes[name]
        if bool(side.writer.inside(name)) == bool(side.reader.inside(name)):  # else it begins anew
            _calls(side, f"/nodes/{name}/interruptCalls", name, one, two)
        _tools(side, name, one, two)
        _approvals(side, name, one, two)
        _sees(side, name, one, two)
        _jumps(side, name, one.jumps, two.jumps)
    for name in sorted(side.reader.nodes.keys() - side.writer.nodes.keys()):
        _jumps(side, name, None, side.reader.nodes[name].jumps)


def _sees(side: Side, name: str, one: Node, two: Node) -> None:
    """A node that asks goes by what it is handed of the state: a key that it is handed no more is missing to it."""
    asks_here = any(node.interrupt_calls or node.may_ask for node in (one, two))
    if not asks_here:
        return
    kept = _keys(side.writer.state) & _keys(side.reader.state)
    seen = [kept if node.input is None else kept & _keys(node.input) for node in (one, two)]
    missing = set(one.reads) & (_keys(side.writer.state) - _keys(side.reader.state)) & set(side.writer.channels)
    if missing and one.digest == two.digest:
        where, reads = f"/nodes/{name}/reads", f"reads {listed(sorted(missing))}"
        side.find("QUESTION_CHANGED", Severity.UNKNOWN, where, reads, "finds nothing", clearable=True, nodes=(name,))
    if seen[0] != seen[1]:
        change = (f"reads {listed(sorted(keys))}" for keys in seen)
        side.find("QUESTION_CHANGED", Severity.UNKNOWN, f"/nodes/{name}/input", *change, clearable=True, nodes=(name,))


def _keys(state: State) -> set[str]:
    return set(SchemaDocument(state.reader).node.named("properties"))


def _jumps(side: Side, name: str, one: str | None, two: str | None) -> None:
    """A middleware that may end the run decides what becomes of whoever goes on from a question."""
    waiting = tuple(sorted(node for node in side.writer.nodes if asks(side.writer, node)))
    if one != two and waiting:
        where, change = f"/nodes/{name}/jumps", ("one setting", "another")
        if one is None or two is None:
            change = ("goes on", "may end the run") if one is None else ("may end the run", "goes on")
        side.find("WAY_CHANGED", Severity.UNKNOWN, where, *change, clearable=True, nodes=waiting)


def _calls(side: Side, where: str, name: str, one: Node | Tool, two: Node | Tool) -> None:
    """Answers are handed to the questions of a node, or a tool, in order, from the first."""
    asked, asking = one.interrupt_calls, two.interrupt_calls
    tasks = [[call for call in calls or () if call.startswith("task ")] for calls in (asked, asking)]
    if one.digest is not None and one.digest == two.digest and tasks[0] == tasks[1]:
        return
    if asked is None or asking is None:
        change = ("cannot be told" if calls is None else listed(calls) for calls in (asked, asking))
        side.find("INTERRUPT_UNKNOWN", Severity.UNKNOWN, where, *change)
    elif asked and asking[: len(asked)] != asked:
        if _in_other_loops(asked, asking):
            loops = (listed(asked), listed(asking))
            side.find("QUESTION_CHANGED", Severity.UNKNOWN, where, *loops, clearable=True, nodes=(name,))
            return
        if _stay_in_place(asked, asking) and not _is_reworded(asked, asking):
            texts = (listed(asked), listed(asking))
            side.find("QUESTION_CHANGED", Severity.UNKNOWN, where, *texts, clearable=True, nodes=(name,))
            return
        severity = Severity.RISK if _is_reworded(asked, asking) else Severity.BREAK
        code = "TASK_ORDER" if any(call.startswith("task ") for call in asked) else "INTERRUPT_ORDER"
        side.find(code, severity, where, listed(asked), listed(asking), nodes=(name,))
    elif (
        ((asked or _approves(one) or _asks_within(side.writer, name, one)) and None not in (one.digest, two.digest))
        or one.may_ask
        or two.may_ask
    ):
        # Whoever waits there runs the other code from its start, and only that decides what becomes of the answer.
        parts = [one.parts, two.parts] if isinstance(one, Node) and isinstance(two, Node) else [{}, {}]
        sources = side.sources(*parts)
        side.find("QUESTION_CHANGED", Severity.UNKNOWN, where, *sources, clearable=True, nodes=(name,))


def _asks_within(graph: Graph, name: str, one: Node | Tool) -> bool:
    """Whether a node calls a graph that asks: what it hands to that is worked out anew."""
    return isinstance(one, Node) and any(map(asks_anywhere, graph.inside(name)))


def _approves(one: Node | Tool) -> bool:
    return isinstance(one, Node) and bool(one.approvals)


def _in_other_loops(asked: tuple[str, ...], asking: tuple[str, ...]) -> bool:
    """Whether the same questions stand in the same order, and only what decides how often they are asked differs.

    A loop over what is written, a list of questions, decides what is asked, too.
    """
    parts = [[_apart(question) for question in calls] for calls in (asked, asking)]
    loops = [loop for calls in parts for _, around in calls for loop in around]
    one, two = ([_renumbered(question) for question, _ in calls] for calls in parts)
    return one == two and asked != asking and not any(map(_holds_texts, loops))


def _renumbered(question: str) -> str:
    """Return a question with its variables numbered from the first on: loops number theirs too."""
    known: dict[str, str] = {}
    return re.sub(r"\b_\d+\b", lambda name: known.setdefault(name[0], f"_{len(known)}"), question)


def _apart(question: str) -> tuple[str, list[str]]:
    """Return what is asked, and the loops that it is asked in: `_0 < 3: 'ok?'` is `'ok?'` in `_0 < 3`."""
    loops: list[str] = []
    while not question.startswith("task ") and _expression(question) is None:
        ends = (place.start() for place in re.finditer(": ", question))
        end = next((end for end in ends if _expression(question[:end]) is not None), None)
        if end is None:
            break
        loops.append(question[:end])
        question = question[end + 2 :]
    return question, loops


def _holds_texts(loop: str) -> bool:
    """Whether a loop names what it goes through, text by text, or entry by entry."""
    tree = _expression(loop)
    nodes = ast.walk(tree) if tree is not None else ()
    return any(isinstance(node, _LISTS) or isinstance(getattr(node, "value", None), str) for node in nodes)


def _lists_texts(loop: str) -> bool:
    """Whether a loop goes through texts that are written out."""
    tree = _expression(loop)
    lists = [node for node in ast.walk(tree) if isinstance(node, _LISTS)] if tree is not None else []
    return any(isinstance(getattr(node, "value", None), str) for one in lists for node in ast.walk(one))


def _expression(text: str) -> ast.Expression | None:
    try:
        return ast.parse(text, mode="eval")
    except SyntaxError:
        return None


def _stay_in_place(asked: tuple[str, ...], asking: tuple[str, ...]) -> bool:
    """Whether there are as many questions as before, and none of them stands in another one's place.

    Of a loop over what is written, a list of questions, that cannot be told.
    """
    if any(_lists_texts(loop) for call in {*asked} ^ {*asking} for loop in _apart(call)[1]):
        return False
    pairs = [(before, after) for before, after in zip(asked, asking, strict=False) if before != after]
    known = set(map(_renumbered, asked)), set(map(_renumbered, asking))
    moved = any(_renumbered(after) in known[0] or _renumbered(before) in known[1] for before, after in pairs)
    return len(asked) == len(asking) and not moved and [*map(_task, asked)] == [*map(_task, asking)]


def _task(call: str) -> str:
    """Return the name of the task that is called; nothing for a question."""
    if not call.startswith("task "):
        return ""
    called = _expression(_apart(call.removeprefix("task "))[0])
    return ast.unparse(called.body.func) if called and isinstance(called.body, ast.Call) else call


def _is_reworded(asked: tuple[str, ...], asking: tuple[str, ...]) -> bool:
    """Whether as many questions stand in the same places, some in other words, none of them moved."""
    pairs = [(before, after) for before, after in zip(asked, asking, strict=False) if before != after]
    plain = all(_wording(before) and _wording(before) == _wording(after) for before, after in pairs)
    return plain and len(asking) == len(asked) and not {after for _, after in pairs} & set(asked)


def _wording(question: str) -> str:
    """Return the form of a question: a text, formatted or not, an object, or a list; nothing for any other."""
    try:
        return _form_of(ast.parse(question, mode="eval").body)
    except SyntaxError:  # it depends on something
        return ""


def _form_of(asked: ast.expr) -> str:
    called = getattr(asked.func, "attr", getattr(asked.func, "id", "")) if isinstance(asked, ast.Call) else ""
    if isinstance(asked, ast.Dict | ast.DictComp) or called == "dict":
        return "object"
    if isinstance(asked, ast.List | ast.ListComp) or called in ("list", "sorted"):
        return "list"
    if isinstance(asked, ast.BinOp) and isinstance(asked.op, ast.Add | ast.Mod):
        return "text" if "text" in (_form_of(asked.left), _form_of(asked.right)) else ""
    is_text = isinstance(asked, ast.JoinedStr) or (isinstance(asked, ast.Constant) and isinstance(asked.value, str))
    return "text" if is_text or called in ("format", "join", "str") else ""


def _tools(side: Side, name: str, one: Node, two: Node) -> None:
    """A call that waits for a human was made by a tool's name, in the form of its arguments."""
    wraps_otherwise = False
    for tool in sorted(one.tools):
        where = f"/nodes/{name}/tools/{tool}"
        if tool in two.tools:
            _calls(side, f"{where}/interruptCalls", name, one.tools[tool], two.tools[tool])
        severity = _pending(side.writer, name, tool)
        if severity is Severity.OK:
            continue  # no call of it waits for anybody
        wraps_otherwise |= one.wraps != two.wraps
        nodes = tuple(sorted({name, *(before for before in side.writer.nodes if _leads(side.writer, before, name))}))
        if tool not in two.tools:
            code = "TOOL_REMOVED" if side.is_backward else "TOOL_ADDED"
            side.find(code, severity, where, "can be called", "is not there", clearable=True, nodes=nodes)
        elif one.tools[tool].return_direct != two.tools[tool].return_direct:
            change = ("goes back to the model", "ends the run")
            change = change if two.tools[tool].return_direct else change[::-1]
            side.find("WAY_CHANGED", Severity.RISK, f"{where}/returnDirect", *change, clearable=True, nodes=nodes)
        elif _checks_otherwise(one.tools[tool], two.tools[tool]):
            change = ("checked its arguments", "checks them otherwise")
            side.find("TOOL_ARGUMENTS", Severity.UNKNOWN, f"{where}/unseen", *change, clearable=True, nodes=nodes)
        elif not _takes(side, one.tools[tool], two.tools[tool]):
            change = ("was called", "takes other arguments")
            side.find("TOOL_ARGUMENTS", severity, f"{where}/arguments", *change, clearable=True, nodes=nodes)
        for argument in _meant_otherwise(one.tools[tool], two.tools.get(tool)):
            change = ("means one default where it is left out", "means another")
            here = f"{where}/defaults/{argument}"
            side.find("TOOL_ARGUMENTS", Severity.UNKNOWN, here, *change, clearable=True, nodes=nodes)

    if wraps_otherwise:
        change = ("one source" if one.wraps else "nothing", "another" if two.wraps else "nothing")
        side.find("WAY_CHANGED", Severity.UNKNOWN, f"/nodes/{name}/wraps", *change, clearable=True, nodes=(name,))


def _checks_otherwise(one: Tool, two: Tool) -> bool:
    return any(one.unseen[name] != two.unseen[name] for name in one.unseen.keys() & two.unseen.keys())


def _meant_otherwise(one: Tool, two: Tool | None) -> list[str]:
    """Return the arguments that a waiting call may have left out, and that have another default now."""
    after = two.defaults if two else {}
    return [name for name, default in one.defaults.items() if after.get(name, default) != default]


def _takes(side: Side, one: Tool, two: Tool) -> bool:
    written, read = SchemaDocument(one.arguments).node, SchemaDocument(two.arguments).node
    return one.arguments == two.arguments or not compare(written, read, side.options, side.budget)


def _pending(graph: Graph, name: str, tool: str) -> Severity:
    """Return how bad it is if a call of a tool fails that a conversation may be waiting with."""
    asked = any(tool in node.approvals for node in graph.nodes.values())
    stopped = stops(graph, name) or any(
        _leads(graph, before, name) and _asks_all(graph, before) for before in graph.nodes
    )
    if asked or stopped or graph.nodes[name].tools[tool].interrupt_calls:
        return Severity.BREAK
    beside = any(asks(graph, other) and name in reached(graph, other) for other in graph.nodes if other != name)
    return Severity.RISK if beside else Severity.OK


def _asks_all(graph: Graph, name: str) -> bool:
    """Whether a node asks before it lets any tool be called."""
    return bool(graph.nodes[name].interrupt_calls) or name in graph.interrupt_after


def _leads(graph: Graph, before: str, name: str) -> bool:
    return before != name and name in ways_out(graph).get(before, ())


def _approvals(side: Side, name: str, one: Node, two: Node) -> None:
    """A middleware asks about each call of some tools at once, and takes as many decisions as it asks for."""
    if not one.approvals:
        return
    known = {tool for node in side.writer.nodes.values() for tool in node.tools}
    for tool in sorted((one.approvals.keys() | two.approvals.keys()) & (known or one.approvals.keys())):
        before, after = one.approvals.get(tool), two.approvals.get(tool)
        severity = _fate(before, after)
        if severity is not Severity.OK:
            change = ("is not asked about" if setting is None else str(setting) for setting in (before, after))
            where = f"/nodes/{name}/approvals/{tool}"
            side.find("APPROVAL_CHANGED", severity, where, *change, clearable=True, nodes=(name,))


def _fate(before: Approval | None, after: Approval | None) -> Severity:
    """Return what becomes of a decision that was asked for by one setting and is taken by another."""
    if before is None:
        return Severity.RISK  # it fails where both were called at once
    if after is None or not set(before.decisions) <= set(after.decisions):
        return Severity.BREAK
    return Severity.OK if before.when == after.when and before.when != "unknown" else Severity.UNKNOWN
