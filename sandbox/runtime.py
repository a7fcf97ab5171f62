"""What this run of the sandbox was started with."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


@dataclass
class Runtime:
    data: Path = Path()
    url: str = "http://127.0.0.1:9300"
    seed: str = "demo"
    #: whether the seeded people and clients are in it
    is_seeded: bool = False
    redirect_uris: list[str] = field(default_factory=list)
    #: the files of the certificate and its key, when TLS is served
    certificate: tuple[Path, Path] | None = None
    #: what clients have to trust then
    trusted: Path | None = None

    @property
    def auth_url(self) -> str:
        """The issuer: like Globus's, without a slash at its end."""
        return f"{self.url}/auth"

    @property
    def collections(self) -> Path:
        return self.data / "collections"

    @property
    def unfinished_files(self) -> Path:
        """Where a copy is written before it is renamed into its collection."""
        return self.data / "unfinished"

    @cached_property
    def unfinished_folder(self) -> str:
        """The same as plain text, which is made once and not per file."""
        return str(self.unfinished_files)


runtime = Runtime()
