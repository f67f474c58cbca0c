"""Runs as Markdown: headings, lists and tables of plain text.

The rule: pure; no text of a device or a person becomes markup, nor HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from console.chapter import Chapter
from console.events import RunEnded
from console.views import JobView, RunView, clock_of

MARKUP = re.compile(r"([\\`*_{}\[\]()#+.!|~<>&:@/$^-])")
"""What CommonMark, or a forum's own form of it, might take for more than itself."""


def book(chapters: Sequence[Chapter], job: JobView | None = None) -> str:
    """What was said of the job, then every chapter."""
    head = _head(job) if job else ()
    lines = (line for one in chapters for line in _chapter(one))
    return "\n".join((*head, *lines)) + "\n"


def _head(job: JobView) -> Iterator[str]:
    yield from (f"# Job {escaped(job.job)}", "")
    yield from (f"- Customer: {escaped(job.customer)}",) if job.customer else ()
    yield from (f"- Device: {escaped(name)}" for name in job.devices)
    yield from (f"- Note {clock_of(at)}: {escaped(text)}" for at, text in job.notes)
    yield from (f"- File {escaped(file.name)}, {file.size} bytes" for file in job.files)
    yield ""


def escaped(text: str) -> str:
    """The text in one line, read as it stands."""
    return MARKUP.sub(r"\\\1", " ".join(text.split()))


def _chapter(one: Chapter) -> Iterator[str]:
    run = one.run
    yield f"# {escaped(run.title)}: {escaped(run.name)}"
    yield ""
    if run.practice:
        yield f"**PRACTICE: simulated hardware, scenario {escaped(run.practice)}. "
        yield "This is no record of a repair.**"
        yield ""
    yield from _facts(run)
    yield from _verdict(run.ended) if run.ended else ("", "## Not ended")
    yield from ("", "## Steps", "")
    for number, step in enumerate(run.plan, start=1):
        found = f": {escaped(step.found)}" if step.found else ""
        yield f"{number}. `{step.mark}` {escaped(step.title)}{found}"
    yield from _artefacts(one)
    yield from ("", "## Everything, in order", "")
    for at, text in one.lines:
        yield f"- {clock_of(at, True)} {escaped(text)}"
    yield from ("", _chain(one), "")


def _facts(run: RunView) -> Iterator[str]:
    continues = f", continues run {escaped(run.continues)}" if run.continues else ""
    yield f"- Run: {escaped(run.run)} ({escaped(run.flow)}){continues}"
    yield f"- Job: {escaped(run.job) or 'not named'}"
    if run.device:
        ids = f"{run.device.vid}:{run.device.pid} {run.device.product}"
        yield f"- Device: {escaped(ids)}, serial {escaped(run.device.serial) or 'none'}"
    yield f"- Port: {escaped(run.port)}"
    yield f"- Started: {escaped(run.started)}{f' by {escaped(run.by)}' if run.by else ''}"
    yield f"- Replug: {escaped(run.version)}"


def _verdict(ended: RunEnded) -> Iterator[str]:
    yield from ("", f"## Verdict: {escaped(ended.verdict)}", "")
    yield escaped(f"{ended.sentence} {ended.advice}")
    yield ""
    yield from (f"- Proof: {escaped(fact)}" for fact in ended.proof)
    yield from (f"- Warning: {escaped(warning)}" for warning in ended.warnings)
    yield from (f"- Still to do: {escaped(rest)}" for rest in ended.to_do)
    yield f"- Damage class at the end: {escaped(ended.damage)}"


def _artefacts(one: Chapter) -> Iterator[str]:
    yield from ("", "## Artefacts", "")
    if not one.artefacts:
        yield "None."
    for name, place, sha256, size, about, text in one.artefacts:
        where = "In the vault, never exported." if place == "vault" else ""
        digest = f"{size} bytes, SHA-256 {escaped(sha256)}"
        yield f"- **{escaped(name)}**, {digest}. {escaped(about)} {where}".rstrip()
        # Indented text is shown as it is, whatever stands in it.
        yield from ("", *(f"      {line}" for line in text.splitlines()), "") if text else ()


def _chain(one: Chapter) -> str:
    torn = " The last line was torn when the bench died, and is left out." if one.torn else ""
    fits = f"{one.events} events; each carries the hash of the one before it, and all of them fit."
    return f"{fits}{torn} The last hash is {one.last_hash or 'none'}."
