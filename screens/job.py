"""A job on the screen: its devices, runs, notes, files, and the line that sends it a file.

The rule: it shows what it was given; `e` hands all of the job over.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from console.report import export_job_files
from screens.text import TextPage


class JobPage(TextPage):
    """A job to read, and to export."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "export", "export the whole job")]

    def __init__(self, job: str, words: str) -> None:
        super().__init__(f"Job {job}", words)
        self._job = job

    def keys(self) -> str:
        return "e export the whole job   space on   - back up   Esc back   q leave"

    def action_export(self) -> None:
        """Every run and note of the job, in every format."""
        state, job = self.console_app.feed.state, self._job
        self.send(lambda: export_job_files(state, job), self.say_exported)
