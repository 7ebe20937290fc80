"""Draws the pictures of the README from a real analysis: `python docs/images/draw.py DATA_DIR`.

A server must run on DATA_DIR (`framewise serve --data-dir DATA_DIR`), a new folder: were the clip analysed
there before, its stored detections would be used again, and the picture would show a speed that is none. The
demo clip is analysed as `framewise analyze` does it; what its terminal shows part-way and at the end becomes
`analyze.svg`, one frame of the overlay becomes `overlay.png`.
"""

import asyncio
import copy
import io
import re
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import av
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from cli.analyze import analyze, prepare
from cli.analyze_options import AnalyzeOptions
from cli.board import Board, Stage
from cli.client import FramewiseClient
from cli.credentials import sign_in_locally
from cli.demo_clip import demo_clip
from cli.outputs import OutputPaths
from cli.progress_view import ProgressView, summary_table
from cli.server_discovery import read_server_file
from settings import Settings

HERE = Path(__file__).parent
COLUMNS = 88
SHOWN_FRAME = 20
COLOURS = 256
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def main(data_dir: Path) -> None:
    """Draw both pictures."""
    with tempfile.TemporaryDirectory() as folder:
        clip = demo_clip(Path(folder))
        part_way, board, outputs = asyncio.run(_analyze(Settings(data_dir=data_dir), clip))
        (HERE / "analyze.svg").write_text(_terminal(part_way, board))
        _save_frame(outputs.overlay, HERE / "overlay.png")


async def _analyze(settings: Settings, clip: Path) -> tuple[Board, Board, OutputPaths]:
    """The board about half-way and at the end, and the files that were written."""
    server = read_server_file(settings.data_dir)
    if server is None:
        raise SystemExit(f"No server runs on {settings.data_dir}.")
    options = AnalyzeOptions(videos=(clip,))
    board, outputs = prepare(options)
    seen: list[Board] = []

    async def watch() -> None:
        while True:
            progress = board.rows[0].progress
            if board.rows[0].stage is Stage.RUNNING and progress is not None and progress.counts:
                seen.append(copy.deepcopy(board))
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    async with FramewiseClient(server.url) as client:
        await sign_in_locally(client, settings)
        exit_code = await analyze(
            client, options, board, outputs, Console(file=io.StringIO(), force_terminal=True)
        )
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    if exit_code or not seen:
        raise SystemExit(f"The analysis did not work: {board.rows[0].error}")
    return min(seen, key=lambda moment: abs(moment.rows[0].progress.percent - 45)), board, outputs[clip]


def _terminal(part_way: Board, end: Board) -> str:
    console = Console(
        record=True, file=io.StringIO(), force_terminal=True, width=COLUMNS, color_system="truecolor"
    )
    name = end.rows[0].name
    console.print(Text.assemble(("$ ", "bold green"), f"framewise analyze {name}\n"))
    console.print(ProgressView(part_way))
    console.print(Text("\n… and at the end:", style="dim"))
    console.print(summary_table(end))
    console.print("Written:", style="bold")
    for file in end.rows[0].files:
        console.print(f"  {file.name}", highlight=False)
    console.print()
    svg = console.export_svg(title="framewise analyze", theme=MONOKAI, unique_id="framewise")
    # The fonts that rich names lie on another server, from which a picture cannot load them.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: Fira Code[^;]*;", f"font-family: {FONTS};", svg)
    return re.sub(r"\s*<!--.*?-->", "", svg, flags=re.DOTALL)


def _save_frame(overlay: Path, picture: Path) -> None:
    with av.open(str(overlay)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == SHOWN_FRAME:
                frame.to_image().quantize(COLOURS).save(picture, optimize=True)
                return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
