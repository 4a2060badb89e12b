"""``python -m cdcx_pandas`` is ``cdcx-pandas``."""

import sys

from cdcx_pandas.cli.main import main

sys.exit(main())
