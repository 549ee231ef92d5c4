"""What every run of tests begins with, before any library is loaded."""

from __future__ import annotations

import os

# Where two workers share two cores, a second thread for products of small matrices waits for a core, and spins while it
# waits: calibration took seven times as long. Processes that tests start inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
