"""A webhook that evaluates a candidate on a golden dataset before any user is on it. Standard library only.

    python evals.py golden.jsonl --port 9100 --at-least 0.9

golden.jsonl holds one case a line: {"question": "...", "expected": "..."}. A case is right if the answer contains what is
expected; put your own judgement into `is_right`. In the policy:

    gates: {webhooks: [{name: evals, url: "http://127.0.0.1:9100/runs", timeout: 30m}]}
"""

from __future__ import annotations

import argparse
import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def answer_of(agent: str, thread: str, question: str) -> str:
    """Ask the agent one question, as your users do."""
    request = urllib.request.Request(f"{agent}/chat", question.encode(), {"x-thread-id": thread})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read().decode()


def is_right(answer: str, expected: str) -> bool:
    """Judge one answer. This is where your own measure goes."""
    return expected.lower() in answer.lower()


class Run:
    """One evaluation, in the background. The same id is the same run: whoever asks twice gets one."""

    def __init__(self, agent: str, cases: list[dict[str, str]], at_least: float) -> None:
        self.agent, self.cases, self.at_least = agent, cases, at_least
        self.done, self.right, self.broken = 0, 0, ""
        threading.Thread(target=self.evaluate, daemon=True).start()

    def evaluate(self) -> None:
        try:
            for number, case in enumerate(self.cases):
                answer = answer_of(self.agent, f"golden-{id(self)}-{number}", case["question"])
                self.right += is_right(answer, case["expected"])
                self.done += 1
        except (OSError, KeyError) as error:
            self.broken = f"the evaluation broke off after {self.done} cases: {error}"

    def state(self) -> tuple[int, dict[str, object]]:
        """Return 202 while it runs, 200 with the verdict; 503 if it broke: that is no verdict."""
        if self.broken:
            return 503, {"message": self.broken}
        if self.done < len(self.cases):
            return 202, {"message": f"{self.done} of {len(self.cases)} cases done"}
        needed = self.at_least * len(self.cases)
        message = f"{self.right} of {len(self.cases)} answers right, {needed:g} needed"
        return 200, {"passed": self.right >= needed, "message": message}


def handler(cases: list[dict[str, str]], at_least: float) -> type[BaseHTTPRequestHandler]:
    runs: dict[str, Run] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            number = self.headers["idempotency-key"]
            if number not in runs:
                runs[number] = Run(asked["urls"]["candidate"], cases, at_least)
            self.send(202, {"message": "begun"}, f"/runs/{number}")

        def do_GET(self) -> None:
            run = runs.get(self.path.removeprefix("/runs/"))
            self.send(*(run.state() if run else (404, {"message": "no such run"})))

        def send(self, status: int, body: dict[str, object], location: str = "") -> None:
            self.send_response(status)
            if location:
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("golden", type=Path)
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--at-least", type=float, default=0.9)
    given = parser.parse_args()
    cases = [json.loads(line) for line in given.golden.read_text().splitlines() if line.strip()]
    ThreadingHTTPServer(("127.0.0.1", given.port), handler(cases, given.at_least)).serve_forever()


if __name__ == "__main__":
    main()
