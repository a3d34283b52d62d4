"""The clock of the sweeps as a Celery application: it sends their names alone.

It loads neither the tasks nor Django, which is all that there is to its start, and to most of its memory.
"""

from celery import Celery

from forecourt.celery import CONFIGURATION

app = Celery("forecourt", fixups=[])
app.config_from_object(CONFIGURATION)
