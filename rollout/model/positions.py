"""Where in a YAML text a field stands: ``spec.canary.steps[1].weight`` is line 14, column 7."""

import re

import yaml

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def position_of(document: yaml.Node, path: str) -> tuple[int, int]:
    """Return line and column, from 1, of a field, or of the innermost part of its path that is there."""
    node, mark = document, document.start_mark
    for index, name in _STEP.findall(path):
        if isinstance(node, yaml.MappingNode) and name:
            entry = next(((key, value) for key, value in node.value if getattr(key, "value", None) == name), None)
            if entry is None:
                break
            mark, node = entry[0].start_mark, entry[1]
        elif isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
            node = node.value[int(index)]
            mark = node.start_mark
        else:
            break
    return mark.line + 1, mark.column + 1
