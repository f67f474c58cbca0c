"""What a screen, a command or a report looks at: frozen views, and the pure folds that make them.

The rule: a view is made of records and nothing else, so the live screen, a screen that came
back, the report and a test see the same. If a screen needs an `if` about a device, a field is
missing here.
"""

from console.views.bench import (
    LATELY,
    BenchView,
    DeviceView,
    Lately,
    Row,
    bench_view,
    closed,
    device_view,
    fold_bench,
    matching,
    port_order,
    rows,
)
from console.views.clock import clock_of
from console.views.job import JobView, fold_job, job_view
from console.views.run import (
    Hand,
    QuestionView,
    RunView,
    Said,
    StepView,
    WaitView,
    fold_run,
    meanwhile,
    run_view,
)

__all__ = [
    "LATELY",
    "BenchView",
    "DeviceView",
    "Hand",
    "JobView",
    "Lately",
    "QuestionView",
    "Row",
    "RunView",
    "Said",
    "StepView",
    "WaitView",
    "bench_view",
    "clock_of",
    "closed",
    "device_view",
    "fold_bench",
    "fold_job",
    "fold_run",
    "job_view",
    "matching",
    "meanwhile",
    "port_order",
    "rows",
    "run_view",
]
