"""What the text of a setting stands for.

To the code each is a text; the configuration reads them in different ways: it fills in what
differs between tenants, vets where a URL leads, and opens files.
"""

from __future__ import annotations

from typing import NewType

Template = NewType("Template", str)
"""A text that may hold {placeholders}; see `monitor.probes.templates`."""

Url = NewType("Url", str)
"""A URL that may hold {placeholders}, and where the monitor will connect to."""

FilePath = NewType("FilePath", str)
"""The absolute path of a file that is read later, and can be read."""

FileText = NewType("FileText", str)
"""What stands in a file: the setting names the file, the code gets its text."""
