"""Agents of LangChain's `create_agent`: a call that waits for a human is foretold to fail, or to run unasked."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from rollout.contracts.check import check
from rollout.contracts.contract_text import read

pytestmark = pytest.mark.skipif(find_spec("langchain") is None, reason="langchain is not installed")

MODEL = """
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware, ModelCallLimitMiddleware, SummarizationMiddleware, wrap_tool_call
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool, tool
from langgraph.graph import MessagesState
from langgraph.prebuilt import ToolNode, tools_condition

class Model(BaseChatModel):
    calls: list
    @property
    def _llm_type(self):
        return "scripted"
    def bind_tools(self, tools, **options):
        return self
    def _generate(self, messages, stop=None, run_manager=None, **options):
        if messages[-1].type == "human":
            calls = [{"name": name, "args": args, "id": str(n)} for n, (name, args) in enumerate(self.calls)]
            said = AIMessage("", tool_calls=calls)
        else:
            said = AIMessage("over")
        return ChatResult(generations=[ChatGeneration(message=said)])
"""
PAY = """
@tool
def pay(amount: int) -> str:
    "Pay."
    return f"paid {amount}"
"""
PLACED = """
@tool
def pay(amount: int, place: str = "{}") -> str:
    "Pay."
    return f"paid {{amount}} in {{place}}"
"""
KEPT = """
KEPT = []
def kept(function):
    made = tool(function)
    KEPT.append(made)
    return made
@kept
def pay(amount: int) -> str:
    "Pay."
    return f"paid {amount}"
@kept
def refund(amount: int) -> str:
    "Refund."
    return f"back {amount} of {len(KEPT)}"
"""
LOOK = """
@tool
def look(text: str) -> str:
    "Look."
    return "seen"
"""
ONE, BOTH = [("pay", {"amount": 50})], [("pay", {"amount": 50}), ("look", {"text": "x"})]
REJECT, APPROVE = {"decisions": [{"type": "reject"}]}, {"decisions": [{"type": "approve"}]}


def agent(asked="{'pay': True}", tools="[pay, look]", code=PAY + LOOK, calls=ONE, more="", prompt="be kind") -> str:
    """An agent whose middleware asks about some tools."""
    middleware = f"[HumanInTheLoopMiddleware(interrupt_on={asked}){more}]"
    return f"{MODEL}{code}\ngraph = create_agent(Model(calls={calls}), {tools}, middleware={middleware}, system_prompt={prompt!r})\n"


def asking(body: str, calls=ONE, more: str = "") -> str:
    """An agent whose tool asks by itself."""
    code = f'\n@tool\ndef pay(amount: int) -> str:\n    "Pay."\n{body}\n{more}'
    return f"{MODEL}{code}{LOOK}\ngraph = create_agent(Model(calls={calls}), [pay, look])\n"


def wrapped(body: str) -> str:
    """An agent whose own middleware asks around each call of a tool."""
    code = f"\nclass Gate(AgentMiddleware):\n    def wrap_tool_call(self, request, handler):\n{body}\n"
    return f"{MODEL}{PAY}{LOOK}{code}\ngraph = create_agent(Model(calls={ONE}), [pay, look], middleware=[Gate()])\n"


def by_hand(tools: str, code: str, compiled: str = "built.compile()", node: str = "") -> str:
    """A graph with a node of tools, and a node before it that asks."""
    return f"""{MODEL}{code}
MODEL = Model(calls={ONE})
def model(state):
    return {{"messages": [MODEL.invoke(state["messages"])]}}
def gate(state):
    {node or "return {}"}
built = StateGraph(MessagesState)
built.add_node("model", model)
built.add_node("gate", gate)
built.add_node("tools", ToolNode({tools}))
built.add_edge(START, "model")
built.add_conditional_edges("model", lambda state: "gate" if state["messages"][-1].tool_calls else END, ["gate", END])
built.add_edge("gate", "tools")
built.add_edge("tools", "model")
graph = {compiled}
"""


RENAMED = PAY.replace("def pay", "def transfer") + LOOK
GATED = '        if interrupt("ok?") != "yes":\n            raise ValueError("no")\n        return handler(request)'
PER_CALL = "{'pay': True}, interrupt_mode='per_call'"

GATE = """
class GateMiddleware(HumanInTheLoopMiddleware):
    def after_model(self, state, runtime):
        return super().after_model(state, runtime)
"""
FAILING = PAY.replace(
    'return f"paid {amount}"', 'if interrupt("sure?") != "yes":\n        raise ValueError("no")\n    return "paid"'
)
CHECKED = """
from pydantic import field_validator
class Payment(BaseModel):
    amount: int
    @field_validator("amount")
    @classmethod
    def check(cls, value):
        assert value < {}
        return value
@tool(args_schema=Payment)
def pay(amount: int) -> str:
    "Pay."
    return f"paid {{amount}}"
"""

BLOCKS = """
class Blocks(AgentMiddleware):
    def __init__(self, names):
        super().__init__()
        self.names = names
    def wrap_tool_call(self, request, handler):
        if request.tool_call["name"] in self.names:
            return ToolMessage("blocked", tool_call_id=request.tool_call["id"])
        return handler(request)
"""

BREAKS = {
    "an approved call is blocked": (
        *(agent(code="from langchain_core.messages import ToolMessage\n" + PAY + LOOK + BLOCKS, more=f", Blocks({names})")
          for names in ({"look"}, {"look", "pay"})),
        APPROVE,
    ),
    "a tool is no longer asked about": (agent(), agent("{'pay': False}"), REJECT),
    "nothing is asked about any more": (agent(), agent("{}"), REJECT),
    "a tool is renamed": (agent(), agent("{'transfer': True}", "[transfer, look]", RENAMED), APPROVE),
    "a tool is removed": (agent(), agent("{'pay': True}", "[look]"), APPROVE),
    "an argument is renamed": (agent(), agent(code=PAY.replace("amount", "cents") + LOOK), APPROVE),
    "an argument is of another type": (agent(), agent(code=PAY.replace("int", "list[int]") + LOOK), APPROVE),
    "an argument is required": (agent(), agent(code=PAY.replace("amount: int", "amount: int, to: str") + LOOK), APPROVE),
    "a decision is no longer taken": (agent(), agent("{'pay': {'allowed_decisions': ['approve']}}"), REJECT),
    "another tool is asked about too": (agent(calls=BOTH), agent("{'pay': True, 'look': True}", calls=BOTH), REJECT),
    "a tool beside the one that is asked about is removed": (
        agent(calls=BOTH), agent("{'pay': True}", "[pay]", calls=BOTH), APPROVE,
    ),
    "a condition": (
        agent("{'pay': {'allowed_decisions': ['approve', 'reject'], 'when': lambda call: call.tool_call['args']['amount'] > 10}}"),
        agent("{'pay': {'allowed_decisions': ['approve', 'reject'], 'when': lambda call: call.tool_call['args']['amount'] > 99}}"),
        REJECT,
    ),
    "each call is asked about by itself": (agent(), agent(PER_CALL), REJECT),
    "a call that was asked about by itself no longer is": (agent(PER_CALL), agent("{}, interrupt_mode='per_call'"), {"type": "reject"}),
    "a tool's own question": (
        asking('    return f"paid {amount} {interrupt(1)}"'),
        asking('    interrupt("sure?")\n    return f"paid {amount} {interrupt(1)}"'),
        "no",
    ),
    "a threshold of a tool that asks": (
        asking('    return f"paid {amount}" if amount < 10 else interrupt(1)'),
        asking('    return f"paid {amount}" if amount < 100 else interrupt(1)'),
        "no",
    ),
    "a middleware of one's own": (wrapped(GATED), wrapped("        return handler(request)"), "no"),
    "a middleware that comes from the library's": (
        agent(code=PAY + LOOK + GATE).replace("[HumanInTheLoop", "[Gate"),
        agent(code=PAY + LOOK + GATE.replace("super().after_model(state, runtime)", "None")).replace("[HumanInTheLoop", "[Gate"),
        REJECT,
    ),
    "a check of a tool's arguments": (agent(code=CHECKED.format(99) + LOOK), agent(code=CHECKED.format(10) + LOOK), APPROVE),
    "what an argument means that was left out": (agent(code=PLACED.format("eu") + LOOK), agent(code=PLACED.format("us") + LOOK), APPROVE),
    "a tool that a decorator keeps in a list": (
        agent(tools="KEPT", code=KEPT + LOOK), agent(tools="KEPT", code=KEPT.replace("def pay", "def transfer") + LOOK), APPROVE,
    ),
    "the run ends with what a tool returns": (
        agent(), agent(code=PAY.replace("@tool", "@tool(return_direct=True)") + LOOK), APPROVE,
    ),
    "a limit of the model's calls": (
        agent(more=", ModelCallLimitMiddleware(thread_limit=5)"), agent(more=", ModelCallLimitMiddleware(thread_limit=1)"), APPROVE,
    ),
    "a limit that comes": (agent(), agent(more=", ModelCallLimitMiddleware(thread_limit=1)"), APPROVE),
    "what becomes of a tool's failure": (
        by_hand("[pay, look], handle_tool_errors=True", FAILING + LOOK), by_hand("[pay, look], handle_tool_errors=False", FAILING + LOOK), "no",
    ),
    "a tool behind a node that asks": (
        by_hand("[pay, look]", PAY + LOOK, node='interrupt("ok?")\n    return {}'),
        by_hand("[transfer, look]", RENAMED, node='interrupt("ok?")\n    return {}'),
        "yes",
    ),
}  # fmt: skip

HARMLESS = {
    "a prompt": (agent(), agent(prompt="be kinder")),
    "the words of a question": (agent(), agent("{'pay': {'allowed_decisions': ['approve', 'edit', 'reject', 'respond'], 'description': 'really?'}}")),
    "a description of a tool": (agent(), agent(code=PAY.replace('"Pay."', '"Pay money."') + LOOK)),
    "an argument with a default": (agent(), agent(code=PAY.replace("amount: int", "amount: int, to: str = 'me'") + LOOK)),
    "the body of a tool that asks nobody": (agent(), agent(code=PAY + LOOK.replace('"seen"', '"looked"'))),
    "a tool is added where nobody is asked": (
        f"{MODEL}{PAY}{LOOK}\ngraph = create_agent(Model(calls=[]), [pay])\n",
        f"{MODEL}{PAY}{LOOK}\ngraph = create_agent(Model(calls=[]), [pay, look])\n",
    ),
    "a wider argument": (agent(), agent(code=PAY.replace("int", "int | float") + LOOK)),
    "an approval of a tool that is not there": (agent("{'pay': True, 'none': True}"), agent()),
    "another model": (agent(), agent(calls=BOTH)),
    "the prompt of an agent with a tool that asks": (
        asking("    return interrupt(1)"), asking("    return interrupt(1)").replace("[pay, look])", "[pay, look], system_prompt='x')"),
    ),
}  # fmt: skip


def contract_of(stage, place):
    return read(json.dumps(stage.play(place, stage.store(), ("contract",))[0]))


@pytest.mark.parametrize("what", BREAKS)
def test_a_call_that_waits_is_never_waved_through(stage, what):
    *sources, answer = BREAKS[what]
    old, new = (stage.version(name, source) for name, source in zip(("old", "new"), sources, strict=True))
    came = []
    for reader in (old, new):
        store = stage.store()
        begun = stage.play(old, store, ("invoke", {"messages": [("user", "pay 50")]}))[0]
        assert begun["came"] == "waits", begun
        came.append(stage.play(reader, store, ("resume", answer))[0])
    assert (came[0]["came"], came[0]["values"]) != (came[1]["came"], came[1]["values"]), (
        f"this pair shows nothing: {came}"
    )
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    assert verdict.backward != "ok"


DEEP = """
from deepagents import create_deep_agent
graph = create_deep_agent(
    model=Model(calls=[]), tools=[pay], interrupt_on={"pay": True},
    subagents=[{"name": "reader", "description": "d", "system_prompt": "p", "tools": [look], "interrupt_on": {"look": ASKED}}],
)
"""


@pytest.mark.skipif(find_spec("deepagents") is None, reason="deepagents is not installed: pip install deepagents")
def test_what_a_subagent_of_deepagents_asks_is_in_the_contract(stage):
    old, new = (
        contract_of(stage, stage.version("deep", MODEL + PAY + LOOK + DEEP.replace("ASKED", asked)))
        for asked in ("True", "False")
    )
    assert set(old.subgraphs) == {"tools#general-purpose", "tools#reader"}
    finding = check(old, new).findings[0]
    assert (finding.code, finding.severity) == ("APPROVAL_CHANGED", "break")
    assert finding.pointer == "/subgraphs/tools#reader/nodes/HumanInTheLoopMiddleware.after_model/approvals/look"


@pytest.mark.parametrize("what", HARMLESS)
def test_what_changes_nothing_for_a_call_that_waits_is_ok(stage, what):
    old, new = (stage.version(name, source) for name, source in zip(("old", "new"), HARMLESS[what], strict=True))
    verdict = check(contract_of(stage, old), contract_of(stage, new))
    assert verdict.backward == "ok", verdict.findings
