"""`python -m backdoor_curves` is the command."""

from backdoor_curves.cli import main

main(prog_name="backdoor-curves")
