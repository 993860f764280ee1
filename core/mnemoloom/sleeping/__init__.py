"""The sleep cycle at work: read what there is, plan, apply in one transaction, take back."""

from mnemoloom.sleeping.cycle import SleepCycle, Step
from mnemoloom.sleeping.reports import SleepChange, SleepReport, SleepState, Undone
from mnemoloom.sleeping.tasks import SleepTask

__all__ = ["SleepChange", "SleepCycle", "SleepReport", "SleepState", "SleepTask", "Step", "Undone"]
