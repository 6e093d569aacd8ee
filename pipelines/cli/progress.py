"""Live progress of the main job on standard error: a bar for each stage, or plain lines."""

from __future__ import annotations

from rich import progress as bars
from rich.markup import escape

from bikecast.core.jobs import JobStatus
from bikecast.core.spec import ModelSpec
from pipelines.cli.output import steady_stderr_console
from pipelines.logs import LOGGER


class Progress:
    """Shows the stages as they run; a Watcher of the main job.

    On a terminal the running stage has a spinner and the training a bar; elsewhere each ended
    stage is one line.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._console = steady_stderr_console()
        self._live = self._console.is_terminal
        self._training = f"{spec.run_asset}: training"
        self._bars = bars.Progress(
            bars.SpinnerColumn("line" if self._console.options.ascii_only else "dots"),
            bars.TextColumn("{task.description}", justify="left"),
            bars.BarColumn(bar_width=24),
            bars.TextColumn("{task.fields[note]}"),
            bars.TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task: bars.TaskID | None = None
        self._best: object = None
        self._waited = ""

    def __enter__(self) -> Progress:
        if self._live:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._bars.stop()
        self._console.file.close()

    def stage_started(self, stage: str) -> None:
        """Show the stage as running."""
        self._remove()
        if self._live:
            self._task = self._bars.add_task(escape(stage), total=None, note="")

    def stage_ended(self, stage: str, seconds: float, note: str) -> None:
        """Leave one line of the stage."""
        self._remove()
        LOGGER.info("%s: %.1f s %s", stage, seconds, note)
        line = f"[green]done[/] {escape(stage):<32} {seconds:6.1f} s  [dim]{escape(note)}[/]"
        self._say(line)

    def training(self, status: JobStatus) -> None:
        """Show trials, best score and time left; on plain output only a better score."""
        progress = status.progress
        done, total = progress.get("trials_done") or 0, progress.get("trials_total")
        best = progress.get("best_score")
        left = progress.get("seconds_left")
        note = f"{progress.get('phase', status.state)}, {done}/{total or '?'} trials"
        if isinstance(best, float):
            note += f", best {best:.4f}"
        if isinstance(left, (int, float)):
            note += f", {max(left, 0):.0f} s of the budget left"
        if self._live and self._task is not None:
            total_trials = int(str(total)) if total else None
            self._bars.update(
                self._task, completed=int(str(done)), total=total_trials, note=escape(note)
            )
        elif best is not None and best != self._best:
            self._best = best
            self._say(f"  {escape(note)}")

    def waiting(self, text: str) -> None:
        """Show what is waited for; on plain output only what is new."""
        if self._live:
            if self._task is None:
                self._task = self._bars.add_task("waiting", total=None, note="")
            self._bars.update(self._task, note=escape(text))
        elif text != self._waited:
            self._say(f"  waiting for {escape(text)}")
        self._waited = text

    def warning(self, text: str) -> None:
        """Show a warning."""
        LOGGER.warning(text)
        self._say(f"[yellow]warning[/] {escape(text)}")

    def _say(self, line: str) -> None:
        """Print a line, on a terminal above the bars."""
        self._bars.console.print(line, highlight=False)

    def _remove(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
