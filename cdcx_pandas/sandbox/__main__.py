"""``python -m cdcx_pandas.sandbox`` serves the local exchange."""

import sys

from cdcx_pandas.sandbox.main import main

sys.exit(main())
