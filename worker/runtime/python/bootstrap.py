"""What `python3.N -S -u /var/runtime/bootstrap.py` runs.  The file that Python is started with is compiled
at each start, a module is not when its bytecode lies beside it: so the runtime is a module."""
import sys

sys.path.insert(0, __file__.rpartition("/")[0])  # also where PYTHONSAFEPATH took it away

import lapwing_runtime  # noqa: E402

lapwing_runtime.main()
