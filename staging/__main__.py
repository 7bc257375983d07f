"""`python -m staging`: the service in the foreground."""

import sys

from staging.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
