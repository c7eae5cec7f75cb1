"""Run the command line: ``python -m napari_spaceediting``."""

import sys

from napari_spaceediting.commands.main import main

sys.exit(main())
