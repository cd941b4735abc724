"""Called by mystmd when a site's pages are ready: writes the whole static site into BUILD_DIRECTORY.

mystmd passes BUILD_DIRECTORY (`_build/html`); the pages lie beside it in `_build/site`, where this reads them: the same
files that its local server would give out. SEVENEPOCHS_BASE_URL is the address the site will have,
SEVENEPOCHS_PDF the name of the PDF that will be printed of it; both may be missing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sevenepochs.errors import UserError
from sevenepochs.report.theme.site import load_site
from sevenepochs.report.theme.write import write_site


def main() -> int:
    """Exit code 1, with one line, when a page cannot be shown; mystmd then fails, too."""
    out = Path(os.environ["BUILD_DIRECTORY"])
    try:
        site = load_site(out.parent / "site", os.environ.get("SEVENEPOCHS_BASE_URL"), os.environ.get("SEVENEPOCHS_PDF"))
        write_site(site, out)
    except UserError as error:
        print(f"theme: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
