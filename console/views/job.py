"""The view of a job and its fold; the rule: made of the job's own records and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from console.events import DeviceAssigned, FileArrived, JobOpened, Noted
from console.journal import Record


@dataclass(frozen=True)
class JobView:
    """All that was said of a job. `notes` are (time, text); `files` came into its inbox.

    `units` are (what names the unit, the device's name) of the devices that belong to it.
    """

    job: str = ""
    customer: str = ""
    opened: str = ""
    by: str = ""
    units: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    files: tuple[FileArrived, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """The names of its devices, each once."""
        return tuple(dict.fromkeys(name for _, name in self.units))


def job_view(records: Iterable[Record]) -> JobView:
    """The whole fold."""
    view = JobView()
    for record in records:
        view = fold_job(view, record)
    return view


def fold_job(view: JobView, record: Record) -> JobView:
    """The view after one more record."""
    match record.event:
        case JobOpened(job, customer, by):
            opened = view.opened or record.at
            customer = customer or view.customer
            return replace(view, job=job, customer=customer, opened=opened, by=view.by or by)
        case DeviceAssigned(_, job, name, _, unit):
            key = unit or name
            others = tuple(known for known in view.units if known[0] != key)
            return replace(view, units=(*others, (key, name)) if job else others)
        case Noted(text, by):
            told = f"{by}: {text}" if by else text
            return replace(view, notes=(*view.notes, (record.at, told)))
        case FileArrived() as event:
            rest = tuple(known for known in view.files if known.name != event.name)
            return replace(view, files=(*rest, event))
        case _:
            return view
