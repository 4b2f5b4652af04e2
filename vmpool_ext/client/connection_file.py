"""What virt-viewer opens a console with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from jupyter_core.paths import secure_write


@dataclass(frozen=True, slots=True)
class ConnectionFile:
    """A connection file. It holds a password that is good for seconds: open it at once, and keep it nowhere."""

    name: str
    content: str = field(repr=False)

    def save(self, folder: str | Path = ".") -> Path:
        """Write it, readable by this account only, in place of an older one of the same name; tell where it is."""
        # The name is the server's; no name may lead out of the folder.
        path = Path(folder) / Path(self.name).name
        with secure_write(str(path)) as file:
            file.write(self.content)
        return path
