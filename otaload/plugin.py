"""Switches otaload on for a locustfile: `import otaload.plugin`.

Importing it adds otaload's options to Locust's command line and has every run recorded, judged and
reported. The scenarios of `locustfiles/` import it through their profiles; any other locustfile
needs this one line, or `-f otaload/plugin.py,theirs.py`, which is why this file is only a door:
Locust executes a file that it is given, even one that was imported before.
"""

import otaload.live.wiring as _wiring  # noqa: F401
