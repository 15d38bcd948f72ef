"""The names of the commands."""

import pytest
from click.testing import CliRunner

from service.cli.commands import main


@pytest.mark.parametrize(("former", "name"), [("parity", "compare-backends"), ("work", "worker")])
def test_a_former_name_still_works_and_help_does_not_show_it(former, name):
    now = CliRunner().invoke(main, [name, "--help"])
    before = CliRunner().invoke(main, [former, "--help"])
    shown = CliRunner().invoke(main, ["--help"]).output

    assert (before.exit_code, now.exit_code) == (0, 0)
    assert before.output.replace(f"main {former} ", f"main {name} ") == now.output
    listed = {line.split()[0] for line in shown.partition("Commands:")[2].splitlines() if line.strip()}
    assert name in listed
    assert former not in listed
