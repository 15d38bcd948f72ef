"""No test depends on how fast the machine is: it waits for events, and tests/waiting.py gives up for it."""

import ast
import re

import pytest

from tests.conftest import ROOT
from tests.waiting import HANG_SECONDS

# Waits for all others.
WAITING = ROOT / "tests" / "waiting.py"
# Callers who come again in a while, and an engine that takes its time: what they do is no test by itself.
PACED = {
    *(
        "tests/e2e/advisers.py",
        "tests/e2e/clients.py",
        "tests/e2e/submissions.py",
        "tests/e2e/crashing_engine.py",
    ),
    "tests/unit/worker/conftest.py",
    # Work of engine processes that takes its time.
    "tests/unit/runtime/engine_work.py",
}
# Whose wait() sets a clock by hand.
BY_HAND = {"desk", "alive", "after"}
# Bounds of the product that a test gives or expects; no test waits for them.
OF_THE_PRODUCT = {"EngineLimits", "EngineSettings", "HealthFlow"}
FILES = sorted(path for path in (ROOT / "tests").rglob("*.py") if path != WAITING)

CLOCKS = {
    *("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "thread_time"),
    *("time.time", "loop.time", "get_running_loop().time", "get_event_loop().time", "default_timer"),
}
A_CLOCK = re.compile(rf"(?:^|\.|_)(?:{'|'.join(map(re.escape, sorted(CLOCKS)))})$")
# Where the bound of a wait stands: the place of an argument, and the names of those that have names.
BOUND_AT = {"timeout": 0, "settimeout": 0, "join": 0, "result": 0, "wait": 0, "wait_for": 1}
BOUND_NAMES = {"timeout", "total", "seconds_max"}
# As long as a guard against a hang has to be, in seconds.
GUARD_SECONDS_MIN = 60.0
MEASURED = re.compile(r"(^|_)(elapsed|duration|seconds|took|waited)$")


def faults_of(source: str, *, is_paced: bool = False) -> list[str]:
    """What in a test depends on the machine, with its line."""
    tree = ast.parse(source)
    constants = constants_of(tree)
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute() | ast.Name() if reads_clock(node):
                found.append(f"{node.lineno}: reads a clock")
            case ast.Call() if is_sleep(node) and not (is_paced or is_free_of_waiting(node)):
                found.append(f"{node.lineno}: sleeps; wait for an event")
            case ast.Call():
                found += [
                    f"{node.lineno}: waits for {bound} s only" for bound in short_bounds(node, constants)
                ]
            case ast.Assert(test=ast.Compare(ops=ops) as test) if any(map(is_order, ops)):
                found += [f"{node.lineno}: bounds {name}" for name in measured_in(test)]
    return found


def constants_of(tree: ast.Module) -> dict[str, float]:
    """The numbers that a module gives names to."""
    return {
        name_of(target): float(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if type(node.value.value) in (int, float)
    }


def name_of(node: ast.AST) -> str:
    """How a call or a value is written, as far as it is made of names."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{name_of(value)}.{name}"
        case ast.Call(func=function):
            return f"{name_of(function)}()"
    return ""


def reads_clock(node: ast.Attribute | ast.Name) -> bool:
    return A_CLOCK.search(name_of(node)) is not None


def is_sleep(call: ast.Call) -> bool:
    return name_of(call.func) in ("asyncio.sleep", "time.sleep", "sleep")


def is_free_of_waiting(sleep: ast.Call) -> bool:
    """A turn of the loop, or the drawn moment at which an accident is to happen."""
    (duration,) = sleep.args
    return (isinstance(duration, ast.Constant) and duration.value == 0) or any(
        name_of(part) == "chance" for part in ast.walk(duration)
    )


def short_bounds(call: ast.Call, constants: dict[str, float]) -> list[float]:
    """The bounds of a wait that a slow machine may need longer for."""
    owner, _, name = name_of(call.func).rpartition(".")
    if name in OF_THE_PRODUCT:
        return []
    place = None if owner in BY_HAND else BOUND_AT.get(name)
    given = [keyword.value for keyword in call.keywords if keyword.arg in BOUND_NAMES]
    if place is not None:
        given += call.args[place : place + 1]
    bounds = [
        part.value if isinstance(part, ast.Constant) else constants.get(name_of(part)) for part in given
    ]
    return [bound for bound in bounds if type(bound) in (int, float) and 0 < bound < GUARD_SECONDS_MIN]


def measured_in(test: ast.Compare) -> list[str]:
    """What is named like a time that was taken, unless it only is compared with nothing."""
    if any(isinstance(part, ast.Constant) and part.value == 0 for part in (test.left, *test.comparators)):
        return []
    called = {part.func for part in ast.walk(test) if isinstance(part, ast.Call)}
    names = [
        part.attr if isinstance(part, ast.Attribute) else part.id
        for part in ast.walk(test)
        if isinstance(part, ast.Attribute) or (isinstance(part, ast.Name) and part not in called)
    ]
    return [name for name in names if MEASURED.search(name)]


def is_order(operator: ast.cmpop) -> bool:
    return isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_depends_on_how_fast_the_machine_is(path):
    assert faults_of(path.read_text(encoding="utf-8"), is_paced=str(path.relative_to(ROOT)) in PACED) == []


@pytest.mark.parametrize(
    "line",
    [
        "began = time.monotonic()",
        "began = perf_counter()",
        "began = asyncio.get_running_loop().time()",
        "began = loop.time()",
        "at = time.time()",
        "time.sleep(0.1)",
        "await asyncio.sleep(SHORT)",
        "await asyncio.wait_for(coming, 5)",
        "await asyncio.wait_for(coming, timeout=SHORT)",
        "line.settimeout(20)",
        "process.wait(10)",
        "socket.create_connection(place, timeout=20)",
        "aiohttp.ClientTimeout(total=3)",
        "assert seconds < 3",
        "assert answer.elapsed <= bound",
        "assert 3 <= (later - earlier).total_seconds()",
    ],
)
def test_what_depends_on_the_machine_is_found(line):
    assert len(faults_of(f"SHORT = 2.5\nasync def test():\n    {line}\n")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "await asyncio.sleep(0)",
        "time.sleep(chance.uniform(0.02, 0.6))",
        "await asyncio.wait_for(coming, HANG_SECONDS)",
        "subprocess.run(command, timeout=LONG)",
        "desk.wait(desk.lease_seconds)",
        "assert len(given) < 3",
        "assert found.seconds == 3",
        "assert waited_seconds >= 0",
        "assert seconds(settings.drain) > stop",
        "''.join(parts)",
    ],
)
def test_what_does_not_is_let_be(line):
    assert faults_of(f"LONG = 300\nasync def test():\n    {line}\n") == []


def test_the_guard_against_a_hang_is_a_long_one():
    assert HANG_SECONDS >= GUARD_SECONDS_MIN
