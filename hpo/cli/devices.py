"""`hpo devices`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hpo.cli.options import format_option

if TYPE_CHECKING:
    pass


@click.command("devices")
@click.option("--devices", "text", default="auto", show_default=True, help="What to choose.")
@format_option
def devices_command(text: str, style: str) -> None:
    """Show the device slots that `hpo run` would use on this machine, and why."""
    from hpo import console
    from hpo.workers.devices import choose, discover

    machine = discover()
    choice = choose(text, machine)
    names = dict(enumerate(machine.cuda))
    rows = [
        {
            "slot": slot.name,
            "device": slot.device,
            "name": names.get(int(slot.device.split(":")[1]), "") if ":" in slot.device else "",
            **slot.environment,
        }
        for slot in choice.slots
    ]
    console.print_rows(rows, style)
    if style == "table":
        console.say(choice.reason)
