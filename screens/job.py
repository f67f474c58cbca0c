"""A job on the screen: its devices, runs, notes, files, and the line that sends it a file.

The rule: it shows what it was given, and a note anew; `e` hands all of the job over.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from console.jobs import job_lines, known_job, scp_line
from screens.snapshot import Feed
from screens.text import TextPage


def job_words(feed: Feed, job: str, host: str) -> str:
    """All that is known of the job now, its inbox looked at anew. Raises ConsoleError."""
    feed.ask("look")
    said, runs = known_job(feed.state, job)
    return "\n".join(job_lines(said, runs, scp_line(feed.state, job, feed.by, host)))


class JobPage(TextPage):
    """A job to read, to note something in, and to export."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "export", "export the whole job")]

    def __init__(self, job: str, words: str) -> None:
        super().__init__(f"Job {job}", words)
        self._job = job

    def keys(self) -> str:
        return "e export the whole job   n note   space on   - back up   Esc back   q leave"

    def action_export(self) -> None:
        """Every run and note of the job, in every format."""
        from console.report import export_job_files  # late: not for the first picture

        state, job = self.console_app.feed.state, self._job
        self.send(lambda: export_job_files(state, job), self.say_exported)

    def _take_note(self, words: str) -> None:
        """Here a note belongs to the job, as `replug note TEXT --job ID`."""
        self.close_note()
        if not words:
            self.say("No note was written.")
            return
        feed, job, host = self.console_app.feed, self._job, self.shot.host

        def write() -> str:
            feed.ask("note_job", job=job, text=words, by=feed.by)
            return job_words(feed, job, host)

        self.send(write, self._show_noted)

    def _show_noted(self, words: str) -> None:
        self._text = words.splitlines()
        self.say(f"The note is in the record of job {self._job}.")
