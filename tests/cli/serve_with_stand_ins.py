"""Run as a script: `framewise` with stand-ins for its own processes."""

from cli import main, serve
from tests.cli.test_serve import stand_in_command

serve.framewise_command = stand_in_command
main()
