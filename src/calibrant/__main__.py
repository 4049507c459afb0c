"""``python -m calibrant`` is ``calibrant``."""

import sys

from calibrant.cli import main

sys.exit(main())
