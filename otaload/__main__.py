"""`python -m otaload`."""

import sys

from otaload.cli import main

sys.exit(main())
